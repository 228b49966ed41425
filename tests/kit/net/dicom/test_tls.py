"""DICOM over TLS as BCP 195 wants it (PS3.15 B.12): who gets in, who doesn't, and how each is told."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from pynetdicom import AE
from structlog.testing import capture_logs

from heliograph.app.demo.studies import make_slices
from heliograph.kit.net.dicom import (
    Acceptance,
    AssociationError,
    Limits,
    StorageListener,
    pdu,
    send_files,
    verify,
)
from heliograph.kit.net.dicom.command import encode_store_request
from heliograph.kit.net.dicom.gate import Visitor
from heliograph.kit.net.dicom.tls import (
    ClientCertificates,
    ServerTls,
    TlsFiles,
    TlsNotReady,
    client_context,
    read_certificate,
    server_context,
)
from tests.kit.net.dicom.certificates import Issued, issue
from tests.kit.net.dicom.peers import (
    CT,
    VERIFICATION,
    associated,
    connect,
    echo,
    eventually,
    is_closed,
    listening,
    read_answer,
    read_pdu,
    request,
    value,
    works,
)

ECHOSCU, STORESCU = Path("/usr/bin/echoscu"), Path("/usr/bin/storescu")
needs_dcmtk = pytest.mark.skipif(not STORESCU.exists(), reason="DCMTK is not installed")


@pytest.fixture
def authority(tmp_path: Path) -> Issued:
    return issue(tmp_path, "authority", is_authority=True)


@pytest.fixture
def ours(tmp_path: Path, authority: Issued) -> Issued:
    return issue(tmp_path, "ours", authority)


@pytest.fixture
def theirs(tmp_path: Path, authority: Issued) -> Issued:
    return issue(tmp_path, "theirs", authority)


def dcmtk(program: Path, port: int, *options: str, files: tuple[Path, ...] = ()) -> subprocess.CompletedProcess[bytes]:
    command = [str(program), *options, "-aet", "CT1", "-aec", "HELIO", "127.0.0.1", str(port), *map(str, files)]
    return subprocess.run(command, check=False, capture_output=True, timeout=60)


@pytest.mark.dcmtk
@needs_dcmtk
@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
@pytest.mark.parametrize("bits", [0, 3072], ids=["ECDSA", "RSA"])
def test_dcmtk_comes_by_each_profile(tmp_path: Path, authority: Issued, profile: str, bits: int) -> None:
    ours, theirs = (issue(tmp_path, n, authority, rsa_bits=bits) for n in ("ours", "theirs"))
    slices = make_slices(tmp_path / "slices", 2)
    context = server_context(ours.files(authority.certificate), "required")
    with listening(tls=lambda: context) as (heard, listener):
        options = ("+tls", str(theirs.key), str(theirs.certificate), "+cf", str(authority.certificate), profile)
        for program, files in ((ECHOSCU, ()), (STORESCU, slices)):
            done = dcmtk(program, listener.tls_port, *options, files=files)
            assert done.returncode == 0, done.stderr.decode()
        eventually(lambda: [c.how for c in heard.closed] == ["released"] * 2)
    assert len(heard.stored) == 2
    assert [(c.tls, c.certificate) for c in heard.callers] == [(True, theirs.der)] * 2


@pytest.mark.dcmtk
@needs_dcmtk
def test_dcmtk_without_a_certificate_or_with_old_ciphers(tmp_path: Path, authority: Issued, ours: Issued) -> None:
    files = ours.files(authority.certificate)
    trust = ("+cf", str(authority.certificate))
    cases: tuple[tuple[ClientCertificates, bool], ...] = (("none", True), ("optional", True), ("required", False))
    for clients, gets_in in cases:
        with listening(tls=ServerTls(files, clients).context) as (heard, listener):
            done = dcmtk(ECHOSCU, listener.tls_port, "+tla", *trust)
            assert (done.returncode == 0) is gets_in, (clients, done.stderr.decode())
            assert [c.certificate for c in heard.callers] == ([None] if gets_in else [])
            # CBC and RSA key exchange are of the retired AES profile (PS3.15 B.3): no common suite.
            old = dcmtk(ECHOSCU, listener.tls_port, "+tla", *trust, "+cs", "TLS_RSA_WITH_AES_128_CBC_SHA", "+pa")
            assert old.returncode != 0, old.stderr.decode()


@pytest.mark.parametrize("own", [True, False], ids=["with a certificate", "without one"])
def test_pynetdicom_comes_with_an_ssl_context(authority: Issued, ours: Issued, theirs: Issued, own: bool) -> None:
    context = server_context(ours.files(authority.certificate), "optional")
    client = ssl.create_default_context(cafile=str(authority.certificate))
    if own:
        client.load_cert_chain(theirs.certificate, theirs.key)
    with listening(tls=lambda: context) as (heard, listener):
        ae = AE("CT1")
        ae.add_requested_context(VERIFICATION)
        peer = ae.associate("127.0.0.1", listener.tls_port, ae_title="HELIO", tls_args=(client, "127.0.0.1"))
        assert peer.is_established
        assert peer.send_c_echo().Status == 0
        peer.release()
    assert [c.certificate for c in heard.callers] == [theirs.der if own else None]


def test_we_send_with_tls_and_check_who_answers(
    tmp_path: Path, authority: Issued, ours: Issued, theirs: Issued
) -> None:
    slices = make_slices(tmp_path / "slices", 2)
    context = server_context(ours.files(authority.certificate), "required")
    mine = client_context(theirs.files(authority.certificate))
    with listening(tls=lambda: context) as (heard, listener):
        port = listener.tls_port
        results = send_files("127.0.0.1", port, called="HELIO", calling="US", files=slices, tls=mine)
        assert all(r.stored for r in results)
        # The name that is dialled must be the certificate's.
        with pytest.raises(AssociationError):
            verify("localhost", port, called="HELIO", calling="US", tls=mine)
        # An authority that we do not know.
        other = issue(tmp_path, "other", is_authority=True)
        with pytest.raises(AssociationError):
            verify("127.0.0.1", port, called="HELIO", calling="US", tls=client_context(theirs.files(other.certificate)))
        # Encrypted, whoever answers.
        verify("localhost", port, called="HELIO", calling="US", tls=client_context(theirs.files(), verify=False))
        # The authorities' file may hold the peer's own certificate.
        pinned = client_context(theirs.files(ours.certificate))
        verify("127.0.0.1", port, called="HELIO", calling="US", tls=pinned)
    assert len(heard.stored) == 2
    assert {c.certificate for c in heard.callers} == {theirs.der}


@pytest.mark.parametrize(
    ("version", "suites", "gets_in"),
    [
        (ssl.TLSVersion.TLSv1_3, None, True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-GCM-SHA384", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256", False),  # CBC
        (ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256", False),  # no forward secrecy
        (ssl.TLSVersion.TLSv1_2, "aNULL:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0", False),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_nothing_older_is_negotiated(
    authority: Issued, ours: Issued, version: ssl.TLSVersion, suites: str | None, gets_in: bool
) -> None:
    context = server_context(ours.files())
    client = ssl.create_default_context(cafile=str(authority.certificate))
    client.minimum_version = client.maximum_version = version
    if suites:
        client.set_ciphers(suites)
    with listening(tls=lambda: context) as (heard, listener):
        plain = connect(listener.tls_port)
        try:
            with client.wrap_socket(plain, server_hostname="127.0.0.1") as sock, associated(sock):
                assert sock.version() == {ssl.TLSVersion.TLSv1_3: "TLSv1.3"}.get(version, "TLSv1.2")
                sock.sendall(echo(1))
                assert read_answer(sock).status == 0
        except (ssl.SSLError, ConnectionError):
            assert not gets_in
        else:
            assert gets_in
        eventually(lambda: listener.gate.figures().dropped == ({} if gets_in else {"no TLS": 1}))
        assert len(heard.callers) == gets_in


def test_tls_1_3_is_preferred_and_no_session_outlives_its_association(authority: Issued, ours: Issued) -> None:
    context = server_context(ours.files())
    client = client_context(TlsFiles(authorities=authority.certificate))
    with listening(tls=lambda: context) as (_heard, listener):
        raw = connect(listener.tls_port)
        with client.wrap_socket(raw, server_hostname="127.0.0.1") as sock, associated(sock):
            assert sock.version() == "TLSv1.3"
            sock.sendall(echo(1))
            assert read_answer(sock).status == 0
            assert sock.session is None or not sock.session.has_ticket


@pytest.mark.parametrize(
    "said",
    [request(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(20_000), b"\x16\x03\x01\xff\xff" + bytes(100)],
    ids=["DICOM", "HTTP", "zeros", "half a greeting"],
)
def test_whoever_speaks_without_tls_is_let_go_in_order_and_logged(ours: Issued, said: bytes) -> None:
    context = server_context(ours.files())
    with (
        listening(Limits(associate_timeout=2), tls=lambda: context) as (heard, listener),
        capture_logs() as logged,
    ):
        with connect(listener.tls_port) as sock:
            sock.sendall(said)
            sock.settimeout(5)
            while sock.recv(4096):  # an alert at most, then the end: no reset
                pass
        eventually(lambda: listener.gate.figures().silent == 0)
        works(listener.port)
    lines = [entry for entry in logged if entry.get("why") == "no TLS"]
    assert [(line["address"], line["log_level"]) for line in lines] == [("127.0.0.1", "warning")]
    assert len(heard.callers) == 1


def test_tls_on_the_plain_port_is_let_go_and_logged(authority: Issued) -> None:
    with listening() as (_heard, listener), capture_logs() as logged:
        with pytest.raises(AssociationError):
            verify(
                "127.0.0.1",
                listener.port,
                called="HELIO",
                calling="CT1",
                tls=client_context(TlsFiles(authorities=authority.certificate)),
            )
        eventually(lambda: listener.gate.figures().dropped == {"not DICOM": 1})
    assert [entry["why"] for entry in logged if "why" in entry] == ["not DICOM"]


def test_silence_before_and_after_the_handshake_ends_at_one_deadline(authority: Issued, ours: Issued) -> None:
    context = server_context(ours.files())
    client = client_context(TlsFiles(authorities=authority.certificate))
    with listening(Limits(associate_timeout=0.7), tls=lambda: context) as (_heard, listener):
        started = time.monotonic()
        with connect(listener.tls_port) as silent, connect(listener.tls_port) as raw:
            with client.wrap_socket(raw, server_hostname="127.0.0.1") as late:
                assert is_closed(late)
            assert is_closed(silent)
        assert time.monotonic() - started < 5
        eventually(lambda: listener.gate.figures().dropped == {"silent": 2})


def test_silent_sockets_on_the_tls_port_give_way_too(authority: Issued, ours: Issued) -> None:
    context = server_context(ours.files())
    client = client_context(TlsFiles(authorities=authority.certificate))
    limits = Limits(pending=4, pending_per_address=4, associate_timeout=60)
    with listening(limits, tls=lambda: context) as (_heard, listener), ExitStack() as stack:
        silent = [stack.enter_context(connect(listener.tls_port)) for _ in range(3)]
        raw = connect(listener.tls_port)
        shaken = stack.enter_context(client.wrap_socket(raw, server_hostname="127.0.0.1"))
        eventually(lambda: listener.gate.figures().silent == 4)
        for _ in range(5):
            verify("127.0.0.1", listener.tls_port, called="HELIO", calling="CT1", tls=client)
        assert is_closed(silent[0])
        assert listener.gate.figures().dropped["displaced"] >= 1
        with associated(shaken):  # it came last: it is still welcome
            pass


def test_a_goodbye_is_said_over_tls(authority: Issued, ours: Issued) -> None:
    context = server_context(ours.files())
    client = client_context(TlsFiles(authorities=authority.certificate))
    with listening(tls=lambda: context) as (_heard, listener):
        raw = connect(listener.tls_port)
        with client.wrap_socket(raw, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as sock:
            sock.sendall(request(calling=b"STRANGER".ljust(16)))
            assert read_pdu(sock) == (pdu.ASSOCIATE_RJ, b"\0\1\1\3")
            assert sock.recv(1) == b""  # close_notify: without it this raises SSLEOFError


def test_a_large_object_comes_whole(authority: Issued, ours: Issued) -> None:
    context = server_context(ours.files())
    client = client_context(TlsFiles(authorities=authority.certificate))
    data = bytes(range(256)) * 20_000
    with listening(tls=lambda: context) as (heard, listener):
        raw = connect(listener.tls_port)
        with client.wrap_socket(raw, server_hostname="127.0.0.1") as sock, associated(sock) as accept:
            sock.sendall(value(1, 3, encode_store_request(1, CT, "1.2.3")))
            size = accept.max_pdu - 6
            for at in range(0, len(data), size):
                sock.sendall(value(1, 2 if at + size >= len(data) else 0, data[at : at + size]))
            assert read_answer(sock).status == 0
    assert heard.stored == [("1.2.3", data)]


def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(tmp_path: Path, authority: Issued) -> None:
    first = issue(tmp_path, "ours", authority)
    tls = ServerTls(first.files(authority.certificate))
    client = client_context(TlsFiles(authorities=authority.certificate))

    def shown(port: int) -> bytes | None:
        raw = connect(port)
        with client.wrap_socket(raw, server_hostname="127.0.0.1") as sock, associated(sock):
            return sock.getpeercert(binary_form=True)

    with listening(tls=tls.context) as (_heard, listener):
        assert shown(listener.tls_port) == first.der
        second = issue(tmp_path, "ours", authority)
        assert second.der != first.der
        eventually(lambda: shown(listener.tls_port) == second.der)
        with capture_logs() as logged:
            second.certificate.write_text("half a ")
            eventually(lambda: any(entry["log_level"] == "error" for entry in logged) or not shown(listener.tls_port))
            assert shown(listener.tls_port) == second.der  # the door does not shut
        third = issue(tmp_path, "ours", authority)
        eventually(lambda: shown(listener.tls_port) == third.der)


def test_without_a_certificate_the_tls_port_says_so_until_there_is_one(tmp_path: Path, authority: Issued) -> None:
    tls = ServerTls(TlsFiles(tmp_path / "ours.pem", tmp_path / "ours.key"))
    client = client_context(TlsFiles(authorities=authority.certificate))
    with listening(tls=tls.context) as (_heard, listener), capture_logs() as logged:
        with pytest.raises(AssociationError):
            verify("127.0.0.1", listener.tls_port, called="HELIO", calling="CT1", tls=client)
        assert any("ours.pem" in str(entry) and entry["log_level"] == "error" for entry in logged)
        works(listener.port)
        issue(tmp_path, "ours", authority)

        def answers() -> bool:
            try:
                verify("127.0.0.1", listener.tls_port, called="HELIO", calling="CT1", tls=client)
            except AssociationError:
                return False
            return True

        eventually(answers)


def test_either_port_may_be_off(authority: Issued, ours: Issued) -> None:
    context = server_context(ours.files())
    client = client_context(TlsFiles(authorities=authority.certificate))
    with listening(plain=False, tls=lambda: context) as (heard, listener):
        assert listener.port == 0
        verify("127.0.0.1", listener.tls_port, called="HELIO", calling="CT1", tls=client)
        assert [c.tls for c in heard.callers] == [True]
    with listening() as (heard, listener):
        assert listener.tls_port == 0
        works(listener.port)
        assert [c.tls for c in heard.callers] == [False]


def test_a_port_that_is_taken_leaves_none_open(ours: Issued) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        with pytest.raises(OSError, match="in use"):
            StorageListener(
                "127.0.0.1",
                port,
                accept=Acceptance,
                store=lambda _a, _r: 0,
                tls_port=taken.getsockname()[1],
                tls=lambda: server_context(ours.files()),
            )
        with pytest.raises(ConnectionRefusedError):
            connect(port)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("no certificate", "can't be read"),
        ("no key", "can't be read"),
        ("another's key", "the key is another certificate's"),
        ("no PEM", "can't be used"),
        ("locked key", "password is wrong or missing"),
        ("no authorities", "can't be read"),
        ("no PEM of authorities", "holds no certificates"),
        ("short key", "too short"),
    ],
)
def test_what_is_wrong_with_the_files_is_said_without_a_secret(
    tmp_path: Path, authority: Issued, ours: Issued, theirs: Issued, broken: str, says: str
) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("SECRET rubbish")
    locked = issue(tmp_path, "locked", authority, rsa_bits=2048, password="SECRET")
    files = {
        "no certificate": TlsFiles(tmp_path / "none.pem", ours.key),
        "no key": TlsFiles(ours.certificate, tmp_path / "none.key"),
        "another's key": TlsFiles(ours.certificate, theirs.key),
        "no PEM": TlsFiles(rubbish, ours.key),
        "locked key": TlsFiles(locked.certificate, locked.key, password="SECRETS"),
        "no authorities": ours.files(tmp_path / "none.pem"),
        "no PEM of authorities": ours.files(rubbish),
        "short key": issue(tmp_path, "short", authority, rsa_bits=1024).files(),
    }[broken]
    with pytest.raises(TlsNotReady, match=says) as told:
        server_context(files)
    assert "SECRET" not in str(told.value)
    server_context(TlsFiles(locked.certificate, locked.key, password="SECRET"))


def test_required_client_certificates_need_an_authority(ours: Issued) -> None:
    with pytest.raises(TlsNotReady, match="no file names the authorities"):
        server_context(ours.files(), "required")


def test_a_devices_own_certificate_may_be_trusted_for_itself(tmp_path: Path, ours: Issued, authority: Issued) -> None:
    scanner, stranger = issue(tmp_path, "scanner"), issue(tmp_path, "stranger")
    context = server_context(ours.files(scanner.certificate), "optional")
    with listening(tls=lambda: context) as (heard, listener):
        verify(
            "127.0.0.1",
            listener.tls_port,
            called="HELIO",
            calling="CT1",
            tls=client_context(scanner.files(authority.certificate)),
        )
        with pytest.raises(AssociationError):
            verify(
                "127.0.0.1",
                listener.tls_port,
                called="HELIO",
                calling="CT1",
                tls=client_context(stranger.files(authority.certificate)),
            )
    assert [c.certificate for c in heard.callers] == [scanner.der]


def test_facts_of_a_certificate(tmp_path: Path, ours: Issued) -> None:
    facts = read_certificate(ours.certificate)
    assert (facts.subject, facts.sha256) == ("CN=ours", ours.sha256)
    assert facts.not_before < facts.not_after
    with pytest.raises(TlsNotReady, match="can't be read"):
        read_certificate(tmp_path / "none")
    (tmp_path / "none").write_text("none")
    with pytest.raises(TlsNotReady, match="holds no certificate"):
        read_certificate(tmp_path / "none")


def test_closing_wakes_who_is_in_the_handshake(ours: Issued) -> None:
    context = server_context(ours.files())
    with listening(Limits(associate_timeout=60), tls=lambda: context) as (_heard, listener):
        with connect(listener.tls_port) as silent, connect(listener.port) as other:
            eventually(lambda: listener.gate.figures().silent == 2)
            listener.close()
            assert is_closed(silent)
            assert is_closed(other)
        eventually(lambda: listener.gate.figures().silent == 0)


def test_closing_ends_who_is_between_the_connection_and_the_handshake(
    ours: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing finds the socket already taken over by the TLS layer and not yet put in its place: nothing can be woken."""
    made = server_context(ours.files())
    wrapping, closing = threading.Event(), threading.Event()

    def context() -> ssl.SSLContext:
        wrapping.set()
        closing.wait(10)
        return made

    with (
        listening(Limits(associate_timeout=60), tls=context) as (_heard, listener),
        connect(listener.tls_port) as silent,
    ):
        assert wrapping.wait(10)
        with monkeypatch.context() as patch:
            patch.setattr(Visitor, "shut", lambda _self: None)
            listener.gate.shut()
        closing.set()
        assert is_closed(silent)
