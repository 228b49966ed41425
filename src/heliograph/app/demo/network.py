"""The demonstration network: three clients in three jurisdictions, two reading groups, readers on three continents. All invented."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select

from heliograph.app.context import Context
from heliograph.app.demo.people import READERS, STAFF, DemoReader
from heliograph.care.rota.model import Shift
from heliograph.governance.access.model import RoleAssignment, User
from heliograph.governance.access.passwords import hash_password
from heliograph.governance.tenancy.model import Grant, Organization
from heliograph.kit.actor import system
from heliograph.kit.db.session import ActorSession, acting_as
from heliograph.kit.work import Work
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

PASSWORD = "demonstration"  # noqa: S105 (printed for everybody: the network is invented)
ACTOR = "demonstration"


@dataclass(frozen=True, slots=True)
class DemoSite:
    """A client with one facility, and how its systems call themselves."""

    slug: str
    name: str
    short_name: str
    kind: str
    code: str
    jurisdiction: str
    time_zone: str
    phone: str
    group: str
    viewing_places: tuple[str, ...]
    promises: dict[str, int]

    @property
    def calling_ae(self) -> str:
        return f"{self.code[:8]}_CT1"

    @property
    def prior_ae(self) -> str:
        """The site's own archive, which sends earlier studies for comparison."""
        return f"{self.code[:8]}_PACS"

    @property
    def called_ae(self) -> str:
        return f"HELIO_{self.code[:8]}"

    @property
    def application(self) -> str:
        return f"{self.code}RIS"


_PROMISES = {
    "TRAUMA1": 20,
    "STROKE": 20,
    "STAT": 30,
    "ASAP": 60,
    "URGENT": 120,
    "PREOP": 120,
    "TIMED": 240,
    "ROUTINE": 720,
    "SCREEN": 10080,
}
SITES = (
    DemoSite("norfjord", "Norfjord Community Hospital", "Norfjord", "community_hospital", "NORFJORD", "NO", "Europe/Oslo",
             "+47 00 55 90 00", "aurora", ("AU", "CH", "NO"), _PROMISES),
    DemoSite("llano-verde", "Llano Verde Imaging", "Llano Verde", "imaging_centre", "LLANO", "US-TX", "America/Chicago",
             "+1 000 555 0142", "meridian", ("US-MA", "US-TX"), {**_PROMISES, "ROUTINE": 1440}),
    DemoSite("kilele-springs", "Kilele Springs Clinic", "Kilele Springs", "clinic", "KILELE", "KE", "Africa/Nairobi",
             "+254 00 555 010", "aurora", ("AU", "CH", "US-MA", "KE"), {**_PROMISES, "ASAP": 90}),
)  # fmt: skip
GROUPS = (("aurora", "Aurora Reading", "Aurora"), ("meridian", "Meridian Radiology", "Meridian"))


def make_network(context: Context, *, result_host: str, result_port: int) -> bool:
    """Makes the network where there is none; returns whether it did. Its clients' systems answer at `result_host:result_port`."""
    with context.works.read(system(ACTOR)) as work:
        if work.session.scalar(select(Organization.id).where(Organization.slug == SITES[0].slug)):
            return False
    with context.works.begin(system(ACTOR)) as work:
        _Maker(work, result_host, result_port).make()
        work.record("demonstration.made")
    return True


def keep_shifts(context: Context) -> None:
    """Puts on who is on now, whatever the hour at which the demonstration is started; the others come on later."""
    with context.works.begin(system(ACTOR)) as work:
        session, now = work.session, work.now
        session.execute(delete(Shift))
        by_name = {r.username: r for r in READERS}
        rows = session.execute(select(Reader.id, User.username).join(User, User.id == Reader.user_id)).all()
        for reader_id, username in rows:
            demo = by_name.get(username)
            if demo is None:
                continue
            starts, ends = _shift(demo, now)
            groups = session.scalars(select(Engagement.organization_id).where(Engagement.reader_id == reader_id)).all()
            session.add_all(
                Shift(organization_id=g, reader_id=reader_id, starts_at=starts, ends_at=ends) for g in groups
            )
        work.record("demonstration.shifts_set")


def _shift(reader: DemoReader, now: datetime) -> tuple[datetime, datetime]:
    hour = now.replace(minute=0, second=0, microsecond=0)
    if reader.on:
        return hour - timedelta(hours=3), hour + timedelta(hours=9)
    return hour + timedelta(hours=13), hour + timedelta(hours=23)


class _Maker:
    """Fills an empty cell, in one transaction."""

    def __init__(self, work: Work, result_host: str, result_port: int) -> None:
        self.session: ActorSession = work.session
        self.since = work.now - timedelta(days=400)
        self.until = work.now + timedelta(days=600)
        self.verified = work.now - timedelta(days=30)
        self.result_host, self.result_port = result_host, result_port
        self.organizations: dict[str, UUID] = {}
        self.facilities: dict[str, tuple[UUID, UUID]] = {}

    def make(self) -> None:
        for slug, name, short in GROUPS:
            self._organization(slug, name, short, "reading_group")
        for site in SITES:
            self._site(site)
        # The clinic in Kenya has a second group, for what the first doesn't cover.
        self._agreement(SITES[2], "meridian")
        hashed = hash_password(PASSWORD)
        for staff in STAFF:
            user_id = self._user(staff.username, staff.name, staff.time_zone, hashed, is_operator=staff.is_operator)
            self.session.add_all(
                RoleAssignment(
                    user_id=user_id, organization_id=self.organizations[slug], role=role, valid_from=self.since
                )
                for role, slug in staff.roles
            )
        for reader in READERS:
            self._reader(reader, hashed)

    def _organization(self, slug: str, name: str, short: str, kind: str) -> UUID:
        row = Organization(slug=slug, name=name, short_name=short, kind=kind)
        self.session.add(row)
        self.session.flush()
        self.organizations[slug] = row.id
        return row.id

    def _site(self, site: DemoSite) -> None:
        organization_id = self._organization(site.slug, site.name, site.short_name, site.kind)
        facility = Facility(
            organization_id=organization_id,
            code=site.code,
            name=site.name,
            short_name=site.short_name,
            jurisdiction=site.jurisdiction,
            time_zone=site.time_zone,
            report_languages=["en"],
            patient_id_authority=site.code,
            accession_issuer=site.code,
            phone=site.phone,
            quiet_seconds=10,
        )
        self.session.add(facility)
        self.session.flush()
        self.facilities[site.code] = (organization_id, facility.id)
        names = {"application": site.application, "facility_name": site.code}
        self.session.add_all(
            [
                Caller(
                    organization_id=organization_id,
                    facility_id=facility.id,
                    called_ae=site.called_ae,
                    calling_ae=site.calling_ae,
                    description="Simulated scanner",
                ),
                Caller(
                    organization_id=organization_id,
                    facility_id=facility.id,
                    called_ae=site.called_ae,
                    calling_ae=site.prior_ae,
                    description="Simulated archive of the site",
                    sends_priors=True,
                ),
                Endpoint(
                    organization_id=organization_id,
                    facility_id=facility.id,
                    kind="hl7_in",
                    name=f"{site.short_name} orders",
                    **names,
                ),
                Endpoint(
                    organization_id=organization_id,
                    facility_id=facility.id,
                    kind="hl7_out",
                    name=f"{site.short_name} results",
                    host=self.result_host,
                    port=self.result_port,
                    **names,
                ),
            ]
        )
        self._agreement(site, site.group)

    def _agreement(self, site: DemoSite, group: str) -> None:
        organization_id, group_id = self.organizations[site.slug], self.organizations[group]
        agreement = Agreement(
            organization_id=organization_id,
            group_organization_id=group_id,
            version=1,
            exam_classes=[],
            viewing_places=list(site.viewing_places),
            valid_from=self.since,
        )
        self.session.add(agreement)
        self.session.flush()
        self.session.add_all(
            Promise(agreement_id=agreement.id, priority=p, minutes=m) for p, m in site.promises.items()
        )
        grant = Grant(
            organization_id=organization_id,
            grantee_organization_id=group_id,
            purpose="coordination",
            agreement_id=agreement.id,
            valid_from=self.since,
        )
        # Row-level security lets only those who act for a client give its grants.
        with acting_as(self.session, system(ACTOR, organization_id)):
            self.session.add(grant)

    def _user(self, username: str, name: str, zone: str, hashed: str, *, is_operator: bool = False) -> UUID:
        user = User(username=username, display_name=name, time_zone=zone, password_hash=hashed, is_operator=is_operator)
        self.session.add(user)
        self.session.flush()
        return user.id

    def _reader(self, demo: DemoReader, hashed: str) -> None:
        user_id = self._user(demo.username, f"Dr {demo.given} {demo.family}", demo.place[2], hashed)
        reader = Reader(user_id=user_id, given_name=demo.given, family_name=demo.family, capacity=demo.capacity)
        self.session.add(reader)
        self.session.flush()
        add = self.session.add_all
        add(
            Licence(
                reader_id=reader.id,
                jurisdiction=j,
                number=str(reader.id.int % 900000 + 100000),
                valid_from=self.since,
                valid_until=self.until,
                verified_at=self.verified,
            )
            for j in demo.licences
        )
        add(
            Certificate(reader_id=reader.id, subspecialty=s, board="National board", valid_from=self.since)
            for s in demo.subspecialties
        )
        add(ReaderLanguage(reader_id=reader.id, language=language) for language in demo.languages)
        name, jurisdiction, zone = demo.place
        self.session.add(
            ReadingPlace(reader_id=reader.id, name=name, jurisdiction=jurisdiction, time_zone=zone, is_current=True)
        )
        for slug in demo.groups:
            group_id = self.organizations[slug]
            self.session.add(
                Engagement(
                    organization_id=group_id,
                    reader_id=reader.id,
                    is_locum=len(demo.groups) > 1,
                    malpractice_jurisdictions=["NO", "US-TX", "KE"],
                    valid_from=self.since,
                )
            )
            self.session.add(
                RoleAssignment(user_id=user_id, organization_id=group_id, role="reader", valid_from=self.since)
            )
        for code, subspecialties in demo.privileges.items():
            organization_id, facility_id = self.facilities[code]
            self.session.add(
                Privilege(
                    organization_id=organization_id,
                    facility_id=facility_id,
                    reader_id=reader.id,
                    subspecialties=list(subspecialties),
                    valid_from=self.since,
                )
            )
