"""What is not taken, and why: by the header alone, or by what processing raised. Codes are of HL7 table 0357."""

from __future__ import annotations

from dataclasses import dataclass

from heliograph.care.orders.errors import OrderForAnotherPatient, OrderUnknown
from heliograph.exchange.hl7.kinds import KINDS
from heliograph.kit.codecs.hl7 import VERSIONS, AckCode, Fault, FieldMissing, Location, Message
from heliograph.kit.errors import HeliographError
from heliograph.kit.net.dicom.tls import fingerprint
from heliograph.kit.net.mllp import Peer
from heliograph.records.patients.doubts import IdentityInDoubt
from heliograph.records.patients.identify import NoIdentifier
from heliograph.records.sites.queries import EndpointFacts


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is not taken. `code` as original mode has it; `at_commit` is the same in an accept acknowledgement."""

    code: AckCode
    fault: Fault
    doubt: IdentityInDoubt | None = None
    """What the message left for a person to decide: kept with it (`doubts.keep`)."""

    @property
    def at_commit(self) -> AckCode:
        """CE for AE, CR for AR."""
        return "CE" if self.code == "AE" else "CR"


NOT_HL7 = Refusal("AR", Fault("100", Location("MSH"), "E", "This is no HL7 message: it does not begin with MSH."))
UNKNOWN_SENDER = Refusal(
    "AR",
    Fault("204", Location("MSH", 1, 3), "E", "This sender (MSH-3, MSH-4 and its address) is not known here."),
)
TAKEN = Refusal(
    "AE",
    Fault(
        "205",
        Location("MSH", 1, 10),
        "E",
        "This control id (MSH-10) was another message's. The message is kept; a person decides what becomes of it.",
    ),
)
FAILED = Refusal(
    "AE", Fault("207", None, "E", "The message could not be processed here; it is kept in the message log.")
)


def barred(endpoint: EndpointFacts, peer: Peer) -> Refusal | None:
    """Whether the feed asks for more of its sender than this connection shows: TLS, or one certificate."""
    why = None
    if endpoint.tls_required and not peer.is_tls:
        why = "This sender must use TLS."
    elif endpoint.certificate_sha256 is not None and (
        peer.certificate is None or fingerprint(peer.certificate) != endpoint.certificate_sha256
    ):
        why = "This sender must show the certificate that is known of it."
    return Refusal("AR", Fault("207", Location("MSH", 1, 3), "E", why)) if why else None


def unacceptable(message: Message, endpoint: EndpointFacts) -> Refusal | None:
    """What the header alone rules out: MSH-12, MSH-11, MSH-9, MSH-10. What the feed ignores need be of no known type."""
    if message.all_segments[0].name != "MSH" or len(message.segments("MSH")) != 1:
        return _refused("100", 1, None, "One frame holds one message, or a batch in its envelope (FHS, BHS).")
    if message.version is not None and message.version not in VERSIONS:
        return _refused("203", 12, None, "This version of HL7 (MSH-12) is not taken here; 2.1 to 2.9 are.")
    if message.processing_id != "P":
        return _refused("202", 11, None, "Only production messages (MSH-11 P) are taken here.")
    if not is_ignored(message, endpoint) and (message.type or "", message.trigger or "") not in KINDS:
        if message.type not in {kind for kind, _ in KINDS}:
            return _refused("200", 9, 1, "This message type is not taken here.")
        return _refused("201", 9, 2, "This trigger event is not taken here.")
    if message.control_id is None:
        return _refused("101", 10, None, "MSH-10 is missing.", "AE")
    return None


def is_ignored(message: Message, endpoint: EndpointFacts) -> bool:
    """Whether the feed says that such messages have no effect: by type and trigger, `ADT^A02`."""
    return f"{message.type or ''}^{message.trigger or ''}" in endpoint.ignored


def _refused(code: str, field: int, component: int | None, text: str, answer: AckCode = "AR") -> Refusal:
    return Refusal(answer, Fault(code, Location("MSH", 1, field, 1 if component else None, component), "E", text))


def refusal_of(error: HeliographError) -> Refusal:
    """AE with place and words for what processing raised. An error may carry both itself: `location`, and `fault` of table 0357."""
    place, code = getattr(error, "location", None), getattr(error, "fault", None)
    if isinstance(error, FieldMissing):
        fault = Fault("101", error.location, "E", error.detail)
    elif isinstance(error, NoIdentifier):
        fault = Fault("101", Location("PID", 1, 3), "E", error.detail)
    elif isinstance(place, Location) and isinstance(code, str):
        fault = Fault(code, place, "E", error.detail)
    elif isinstance(error, IdentityInDoubt):
        fault = Fault("205", place if isinstance(place, Location) else Location("PID", 1, 3), "E", error.detail)
        return Refusal("AE", fault, error)
    elif isinstance(error, OrderForAnotherPatient):
        fault = Fault("205", Location("PID", 1, 3), "E", error.detail)
    elif isinstance(error, OrderUnknown):
        fault = Fault("204", Location("ORC", 1, 2), "E", error.detail)
    else:
        fault = Fault("207", None, "E", error.detail)
    return Refusal("AE", fault)
