"""The named cast of the tests.

- **Norfjord** Community Hospital (client, Norway): Eirik is site staff, Astrid its administrator, Runa its auditor.
- **Llano Verde** Imaging (client, Texas): Harper is site staff. Towards Norfjord, Harper is the outsider.
- **Aurora** (reading group; agreement with Norfjord): Imogen reads from Sydney with all that Norfjord needs; Anselm reads from Zurich
  without a Norwegian licence; Nadia coordinates.
- **Borealis** (reading group, agreement with nobody): Otto reads there, Olga coordinates there: outsiders both.
- Pat operates the platform and may see no patient.

Passwords are all `PASSWORD`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from heliograph.care.rota.model import Shift
from heliograph.governance.access.model import RoleAssignment, User
from heliograph.governance.access.passwords import hash_password
from heliograph.governance.tenancy.model import Grant, Organization
from heliograph.kit.actor import Actor, RoleHeld
from heliograph.records.agreements.model import Agreement, Promise
from heliograph.records.people.model import (
    Certificate,
    Engagement,
    Licence,
    Privilege,
    Reader,
    ReaderLanguage,
    ReadingPlace,
)
from heliograph.records.sites.model import Caller, Endpoint, Facility

PASSWORD = "correct horse battery"
_HASH = hash_password(PASSWORD)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2028, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cast:
    """Ids and actors of everybody."""

    norfjord: UUID
    llano: UUID
    aurora: UUID
    borealis: UUID
    norfjord_facility: UUID
    llano_facility: UUID
    agreement: UUID
    hl7_in: UUID
    hl7_out: UUID
    caller: UUID
    eirik: Actor
    astrid: Actor
    runa: Actor
    harper: Actor
    nadia: Actor
    imogen: Actor
    anselm: Actor
    otto: Actor
    olga: Actor
    pat: Actor
    imogen_reader: UUID
    anselm_reader: UUID
    otto_reader: UUID


def make_cast(owner_url: str) -> Cast:
    """Puts the cast into an empty database, as the owner of its tables."""
    engine = create_engine(owner_url)
    with Session(engine, expire_on_commit=False) as s:
        cast = _fill(s)
        s.commit()
    engine.dispose()
    return cast


def _organization(s: Session, slug: str, name: str, kind: str) -> UUID:
    o = Organization(slug=slug, name=name, short_name=name.split(maxsplit=1)[0], kind=kind)
    s.add(o)
    s.flush()
    return o.id


def _user(
    s: Session, username: str, name: str, zone: str, *roles: tuple[UUID, str], is_operator: bool = False
) -> Actor:
    u = User(username=username, display_name=name, time_zone=zone, password_hash=_HASH, is_operator=is_operator)
    s.add(u)
    s.flush()
    s.add_all(RoleAssignment(user_id=u.id, organization_id=o, role=r, valid_from=LONG_AGO) for o, r in roles)
    return Actor("user", name, u.id, (), tuple(RoleHeld(o, r) for o, r in roles), None, None, is_operator)


def _reader(
    s: Session,
    actor: Actor,
    group: UUID,
    place: tuple[str, str, str],
    *,
    licences: tuple[str, ...],
    subspecialties: tuple[str, ...],
) -> UUID:
    given, family = actor.name.removeprefix("Dr ").split(" ", 1)
    r = Reader(user_id=actor.id, given_name=given, family_name=family, capacity=10)
    s.add(r)
    s.flush()
    s.add_all(
        Licence(
            reader_id=r.id,
            jurisdiction=j,
            number=f"{j}-1",
            valid_from=LONG_AGO,
            valid_until=LATER,
            verified_at=LONG_AGO,
        )
        for j in licences
    )
    s.add_all(Certificate(reader_id=r.id, subspecialty=x, board="EBR", valid_from=LONG_AGO) for x in subspecialties)
    s.add(ReaderLanguage(reader_id=r.id, language="en"))
    s.add(ReadingPlace(reader_id=r.id, name=place[0], jurisdiction=place[1], time_zone=place[2], is_current=True))
    s.add(
        Engagement(
            organization_id=group,
            reader_id=r.id,
            malpractice_jurisdictions=["NO", "US-TX"],
            valid_from=LONG_AGO,
        )
    )
    s.add(
        Shift(
            organization_id=group,
            reader_id=r.id,
            starts_at=datetime(2026, 11, 24, 21, tzinfo=UTC),
            ends_at=datetime(2026, 11, 25, 9, tzinfo=UTC),
        )
    )
    return r.id


def _facility(s: Session, organization: UUID, code: str, name: str, jurisdiction: str, zone: str) -> UUID:
    f = Facility(
        organization_id=organization,
        code=code,
        name=name,
        short_name=name.split(maxsplit=1)[0],
        jurisdiction=jurisdiction,
        time_zone=zone,
        report_languages=["en"],
        patient_id_authority=code,
        accession_issuer=code,
        phone="+47 00 55 90 00",
        quiet_seconds=10,
    )
    s.add(f)
    s.flush()
    return f.id


def _fill(s: Session) -> Cast:
    norfjord = _organization(s, "norfjord", "Norfjord Community Hospital", "community_hospital")
    llano = _organization(s, "llano-verde", "Llano Verde Imaging", "imaging_centre")
    aurora = _organization(s, "aurora", "Aurora Reading", "reading_group")
    borealis = _organization(s, "borealis", "Borealis Reading", "reading_group")
    nf = _facility(s, norfjord, "NORFJORD", "Norfjord Community Hospital", "NO", "Europe/Oslo")
    lv = _facility(s, llano, "LLANO", "Llano Verde Imaging", "US-TX", "America/Chicago")
    agreement = Agreement(
        organization_id=norfjord,
        group_organization_id=aurora,
        version=1,
        exam_classes=[],
        viewing_places=["AU", "CH", "NO"],
        valid_from=LONG_AGO,
    )
    hl7_in = Endpoint(
        organization_id=norfjord,
        facility_id=nf,
        kind="hl7_in",
        name="Norfjord RIS",
        application="NFRIS",
        facility_name="NORFJORD",
    )
    hl7_out = Endpoint(
        organization_id=norfjord,
        facility_id=nf,
        kind="hl7_out",
        name="Norfjord results",
        application="NFRIS",
        facility_name="NORFJORD",
        host="127.0.0.1",
        port=1,
    )
    caller = Caller(organization_id=norfjord, facility_id=nf, called_ae="HELIO_NF", calling_ae="NF_CT1")
    s.add_all([agreement, hl7_in, hl7_out, caller])
    s.flush()
    s.add_all(
        Promise(agreement_id=agreement.id, priority=p, minutes=m)
        for p, m in (("STAT", 30), ("ASAP", 60), ("URGENT", 120), ("ROUTINE", 720))
    )
    s.add(
        Grant(
            organization_id=norfjord,
            grantee_organization_id=aurora,
            purpose="coordination",
            agreement_id=agreement.id,
            valid_from=LONG_AGO,
        )
    )
    eirik = _user(s, "eirik", "Dr Eirik Solbakken", "Europe/Oslo", (norfjord, "site_staff"))
    astrid = _user(s, "astrid", "Astrid Vik", "Europe/Oslo", (norfjord, "administrator"))
    runa = _user(s, "runa", "Runa Lie", "Europe/Oslo", (norfjord, "auditor"))
    harper = _user(s, "harper", "Harper Quinn", "America/Chicago", (llano, "site_staff"))
    nadia = _user(s, "nadia", "Nadia Rourke", "Europe/Oslo", (aurora, "coordinator"))
    imogen = _user(s, "imogen", "Dr Imogen Tarrant", "Australia/Sydney", (aurora, "reader"))
    anselm = _user(s, "anselm", "Dr Anselm Vogt", "Europe/Zurich", (aurora, "reader"))
    otto = _user(s, "otto", "Dr Otto Brandt", "Europe/Zurich", (borealis, "reader"))
    olga = _user(s, "olga", "Olga Ferrer", "Europe/Zurich", (borealis, "coordinator"))
    pat = _user(s, "pat", "Pat Moreau", "UTC", is_operator=True)
    sydney, zurich = ("Sydney", "AU", "Australia/Sydney"), ("Zurich", "CH", "Europe/Zurich")
    imogen_reader = _reader(
        s,
        imogen,
        aurora,
        sydney,
        licences=("NO", "AU"),
        subspecialties=("neuro", "emergency", "body", "chest"),
    )
    anselm_reader = _reader(s, anselm, aurora, zurich, licences=("CH",), subspecialties=("neuro",))
    otto_reader = _reader(s, otto, borealis, zurich, licences=("NO", "CH"), subspecialties=("neuro",))
    s.add_all(
        Privilege(organization_id=norfjord, facility_id=nf, reader_id=r, subspecialties=[], valid_from=LONG_AGO)
        for r in (imogen_reader, anselm_reader)
    )
    return Cast(
        norfjord, llano, aurora, borealis, nf, lv, agreement.id, hl7_in.id, hl7_out.id, caller.id, eirik, astrid, runa, harper, nadia,
        imogen, anselm, otto, olga, pat, imogen_reader, anselm_reader, otto_reader,
    )  # fmt: skip
