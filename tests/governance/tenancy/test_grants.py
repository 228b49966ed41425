"""Grants: who gives them, and that a reader sees by them only while the group engages them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import ProgrammingError

from heliograph.app.context import Context
from heliograph.governance.tenancy import grants
from heliograph.kit.actor import Actor, machine, system
from tests.cast import Cast

_INSERT = text(
    "insert into tenancy.grants (organization_id, grantee_organization_id, purpose, patient_id, valid_until) "
    "values (:client, :group, :purpose, :patient, null)"
)


@pytest.fixture
def owner(owner_url: str) -> Iterator[Connection]:
    engine = create_engine(owner_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def patient(owner: Connection, cast: Cast) -> UUID:
    """A patient of Norfjord whom Aurora may see, by a grant that ended."""
    made: UUID = owner.execute(
        text("insert into patients.patients (organization_id, family_name) values (:o, 'LIE') returning id"),
        {"o": cast.norfjord},
    ).scalar_one()
    values = {"client": cast.norfjord, "group": cast.aurora, "purpose": "interpretation", "patient": made}
    owner.execute(_INSERT, values)
    owner.execute(text("update tenancy.grants set valid_until = now() where patient_id = :p"), {"p": made})
    return made


def _sees(context: Context, actor: Actor, patient: UUID) -> bool:
    with context.works.read(actor) as work:
        found = work.session.scalar(text("select 1 from patients.patients where id = :p"), {"p": patient})
        return found is not None


def _renew(owner: Connection, patient: UUID) -> None:
    owner.execute(text("update tenancy.grants set valid_until = null where patient_id = :p"), {"p": patient})


def test_it_works(context: Context, cast: Cast, patient: UUID) -> None:
    """The platform gives a grant for the client and ends it; the group's readers see by it as long as it lasts."""
    with context.works.begin(system("dispatch", cast.norfjord)) as work:
        first = grants.give(work, cast.norfjord, cast.aurora, "interpretation", patient_id=patient)
        assert grants.give(work, cast.norfjord, cast.aurora, "interpretation", patient_id=patient) == first
    assert _sees(context, cast.imogen, patient)
    assert not _sees(context, cast.otto, patient)
    with context.works.begin(system("dispatch", cast.norfjord)) as work:
        assert grants.end(work, cast.norfjord, cast.aurora, "interpretation") == 1
    assert not _sees(context, cast.imogen, patient)


@pytest.mark.parametrize("who", ["imogen", "nadia", "eirik", "runa", "astrid", "harper", "otto", "olga", "pat"])
def test_nobody_gives_a_patient_away_nor_renews_a_grant(context: Context, cast: Cast, patient: UUID, who: str) -> None:
    """Not even to a group of their own, nor at their own hospital: only the platform does, when a case is offered."""
    actor: Actor = getattr(cast, who)
    for group in (cast.aurora, cast.borealis):
        values = {"client": cast.norfjord, "group": group, "purpose": "interpretation", "patient": patient}
        with context.works.read(actor) as work, pytest.raises(ProgrammingError, match="row-level security"):
            work.session.execute(_INSERT, values)
    renew = text("update tenancy.grants set valid_until = null where patient_id = :p")
    with context.works.read(actor) as work:
        if who in ("imogen", "nadia", "eirik", "runa"):  # who know of the grant
            with pytest.raises(ProgrammingError, match="row-level security"):
                work.session.execute(renew, {"p": patient})
        else:
            assert work.session.connection().execute(renew, {"p": patient}).rowcount == 0


def test_nobody_moves_a_grant_to_another_patient_or_group(
    context: Context, cast: Cast, owner: Connection, patient: UUID
) -> None:
    _renew(owner, patient)
    for actor in (cast.imogen, cast.nadia, machine("NF_CT1", cast.caller, cast.norfjord)):
        for change in (f"grantee_organization_id = '{cast.borealis}'", "patient_id = gen_random_uuid()"):
            with context.works.read(actor) as work, pytest.raises(ProgrammingError, match="row-level security"):
                work.session.execute(text(f"update tenancy.grants set {change} where patient_id = '{patient}'"))


def test_coordination_is_given_by_the_clients_administrator_alone(context: Context, cast: Cast) -> None:
    values = {"client": cast.norfjord, "group": cast.borealis, "purpose": "coordination", "patient": None}
    for actor in (cast.olga, cast.nadia, cast.eirik, cast.harper, cast.pat, cast.imogen):
        with context.works.read(actor) as work, pytest.raises(ProgrammingError, match="row-level security"):
            work.session.execute(_INSERT, values)
    with context.works.begin(cast.astrid) as work:
        grants.give(work, cast.norfjord, cast.borealis, "coordination")
    with context.works.read(cast.olga) as work:
        found = work.session.scalar(text("select tenancy.actor_organizations()"))
    assert cast.norfjord in found


def test_grants_end_and_are_never_deleted(context: Context, cast: Cast, patient: UUID) -> None:
    for actor in (system("dispatch", cast.norfjord), cast.astrid, cast.nadia):
        with context.works.read(actor) as work, pytest.raises(ProgrammingError, match="permission denied"):
            work.session.execute(text("delete from tenancy.grants"))


@pytest.mark.parametrize(
    "end",
    [
        "update people.engagements set valid_until = now()",
        "update people.engagements set valid_from = now() + interval '1 hour'",
        "update people.engagements set organization_id = :borealis",
        "update people.readers set is_active = false",
        "update access.role_assignments set valid_until = now() where role = 'reader'",
    ],
)
def test_a_reader_sees_by_the_groups_grants_while_it_engages_them(
    context: Context, cast: Cast, owner: Connection, patient: UUID, end: str
) -> None:
    _renew(owner, patient)
    assert [a.name for a in (cast.imogen, cast.anselm) if not _sees(context, a, patient)] == []
    owner.execute(text(end), {"borealis": cast.borealis} if ":borealis" in end else {})
    assert [a.name for a in (cast.imogen, cast.anselm, cast.otto) if _sees(context, a, patient)] == []


def test_a_coordinator_needs_no_engagement(context: Context, cast: Cast, owner: Connection, patient: UUID) -> None:
    """Also where the group coordinates for nobody: by the grant for the patient."""
    _renew(owner, patient)
    owner.execute(text("delete from people.engagements"))
    owner.execute(text("delete from tenancy.grants where purpose = 'coordination'"))
    assert _sees(context, cast.nadia, patient)
    assert not _sees(context, cast.olga, patient)
