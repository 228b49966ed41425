"""Nobody sees what they may not, decided by the database: a query that forgets every filter shows an outsider nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from heliograph.app.context import Context
from heliograph.app.models import SCHEMAS, metadata
from heliograph.kit.actor import Actor, machine, system
from tests.cast import Cast
from tests.house.rows import PATIENT_TABLES, Filler

NAMES = tuple(t.fullname for t in PATIENT_TABLES)
OF_NOBODY_ELSE = frozenset(
    {
        "sites.messages",
        "sites.transfers",
        "archive.held_objects",
        "archive.commitments",
        "archive.discarded_objects",
        "patients.merges",
        "patients.doubts",
        "questions.questions",
        "questions.answers",
    }
)
"""Tables that no grant opens: what a site sent before anybody knew whom it is about, what its coordinators fetch and send,
what its machines ask us to commit ourselves to, keys of objects that are gone, which patients were found to be one or may be,
and what coordinators and sites ask each other."""
DRAFTS = "reading.drafts"
REFUSED = r"permission denied|must be owner"


@pytest.fixture
def owner(owner_url: str) -> Iterator[Connection]:
    engine = create_engine(owner_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def norfjord(owner: Connection, cast: Cast) -> Filler:
    """One row of Norfjord in every table, one draft by Imogen among them; and the same of Llano Verde, with a draft by Otto."""
    assert cast.imogen.id is not None
    assert cast.otto.id is not None
    Filler(owner, cast, cast.llano, cast.llano_facility, cast.otto.id).fill()
    filler = Filler(owner, cast, cast.norfjord, cast.norfjord_facility, cast.imogen.id)
    filler.fill()
    return filler


def seen(context: Context, actor: Actor, organization: object) -> set[str]:
    """The tables of which `actor` sees rows of `organization` by a plain select without any filter.

    Of the grants only those that name a patient count: a coordination is known to its group and to the client's administrator.
    """
    with context.works.read(actor) as work:
        return {
            name
            for name in NAMES
            if any(
                row["organization_id"] == organization and row.get("patient_id", True) is not None
                for row in work.session.execute(text(f"select * from {name}")).mappings()
            )
        }


def _grant(owner: Connection, cast: Cast, norfjord: Filler, until: str = "null") -> None:
    owner.execute(
        text(
            "insert into tenancy.grants (organization_id, grantee_organization_id, purpose, patient_id, valid_until) "
            f"values (:client, :group, 'interpretation', :patient, {until})"
        ),
        {"client": cast.norfjord, "group": cast.aurora, "patient": norfjord.rows["patients.patients"]["id"]},
    )


def test_it_works(context: Context, cast: Cast, norfjord: Filler) -> None:
    """Who looks after Norfjord sees its rows, all but drafts, which are their author's."""
    own = set(NAMES) - {DRAFTS}
    for actor in (
        cast.eirik, cast.runa, cast.nadia, machine("NF_CT1", cast.caller, cast.norfjord), system("indexer", cast.norfjord),
    ):  # fmt: skip
        assert seen(context, actor, cast.norfjord) == own, actor.name


def test_outsiders_see_nothing(context: Context, cast: Cast, norfjord: Filler) -> None:
    for actor in (
        cast.harper, cast.otto, cast.olga, cast.pat, cast.astrid, cast.anselm, machine("LV_CT1", None, cast.llano),
        system("indexer", cast.llano), system("anything"), Actor("user", "nobody"),
    ):  # fmt: skip
        assert seen(context, actor, cast.norfjord) == set(), actor.name
    assert seen(context, cast.harper, cast.llano) == set(NAMES) - {DRAFTS}, "or this test would see nothing anyway"


def test_an_unset_actor_sees_nothing(context: Context, norfjord: Filler) -> None:
    """A connection that forgot to say who acts."""
    with context.engine.connect() as connection:
        assert [n for n in NAMES if connection.execute(text(f"select 1 from {n}")).first()] == []


def test_a_reader_sees_a_patient_by_a_grant_and_no_longer(
    context: Context, cast: Cast, owner: Connection, norfjord: Filler
) -> None:
    own_draft = {DRAFTS}
    assert seen(context, cast.imogen, cast.norfjord) == own_draft
    _grant(owner, cast, norfjord, until="now() + interval '1 hour'")
    by_grant = seen(context, cast.imogen, cast.norfjord)
    assert by_grant == set(NAMES) - OF_NOBODY_ELSE
    assert seen(context, cast.anselm, cast.norfjord) == by_grant - own_draft, (
        "the grant is the group's, the draft its author's"
    )
    for outsider in (cast.otto, cast.olga, cast.harper, cast.astrid, cast.pat):
        assert seen(context, outsider, cast.norfjord) == set(), outsider.name
    end = "update tenancy.grants set valid_until = now() where grantee_organization_id = :g and patient_id is not null"
    owner.execute(text(end), {"g": cast.aurora})
    # The ended grant itself stays known to the group: which cases it once held.
    assert seen(context, cast.imogen, cast.norfjord) == own_draft | {"tenancy.grants"}


def test_a_grant_opens_no_other_patient(context: Context, cast: Cast, owner: Connection, norfjord: Filler) -> None:
    second = owner.execute(
        text("insert into patients.patients (organization_id) values (:o) returning id"), {"o": cast.norfjord}
    ).scalar_one()
    owner.execute(
        text(
            "insert into patients.identifiers (organization_id, patient_id, authority, value) values (:o, :p, 'x', 'y')"
        ),
        {"o": cast.norfjord, "p": second},
    )
    _grant(owner, cast, norfjord)
    with context.works.read(cast.imogen) as work:
        patients = set(work.session.scalars(text("select id from patients.patients")))
        identified = set(work.session.scalars(text("select patient_id from patients.identifiers")))
    assert patients == identified == {norfjord.rows["patients.patients"]["id"]}


def test_a_grant_not_yet_valid_opens_nothing(context: Context, cast: Cast, owner: Connection, norfjord: Filler) -> None:
    _grant(owner, cast, norfjord)
    owner.execute(text("update tenancy.grants set valid_from = now() + interval '1 hour'"))
    assert seen(context, cast.imogen, cast.norfjord) == {DRAFTS, "tenancy.grants"}
    assert seen(context, cast.nadia, cast.norfjord) == {"tenancy.grants"}, "the coordination is in the future too"


def test_an_ended_role_sees_nothing(context: Context, cast: Cast, owner: Connection, norfjord: Filler) -> None:
    owner.execute(text("update access.role_assignments set valid_until = now()"))
    for actor in (cast.eirik, cast.nadia, cast.runa):
        assert seen(context, actor, cast.norfjord) == set(), actor.name


def _refused(connection_of: Context, actor: Actor, sql: Any) -> bool:
    """Whether the database itself refuses the row."""
    with connection_of.works.read(actor) as work:
        try:
            work.session.execute(sql)
        except ProgrammingError as error:
            return "row-level security" in str(error.orig)
        except DBAPIError as error:
            return "immutable" in str(error.orig)  # report versions: a trigger comes first
        return False


def test_nobody_writes_another_organisations_row(context: Context, cast: Cast, norfjord: Filler) -> None:
    for outsider in (cast.harper, cast.otto, cast.astrid, cast.pat, machine("LV_CT1", None, cast.llano)):
        for table in PATIENT_TABLES:
            row = norfjord.rows[table.fullname]
            again = insert(table).values({name: row[name] for name in row if table.columns[name].computed is None})
            assert _refused(context, outsider, again), (outsider.name, table.fullname)


def test_nobody_changes_or_deletes_another_organisations_row(
    context: Context, cast: Cast, owner: Connection, norfjord: Filler
) -> None:
    for outsider in (cast.harper, cast.otto, cast.astrid, cast.pat):
        with context.works.read(outsider) as work:
            for table in PATIENT_TABLES:
                if table.fullname == "tenancy.grants":
                    continue
                for verb in (
                    f"update {table.fullname} set organization_id = organization_id",
                    f"delete from {table.fullname}",
                ):
                    with work.session.begin_nested() as savepoint:
                        sql = f"{verb} where organization_id = :o"
                        changed = work.session.connection().execute(text(sql), {"o": cast.norfjord})
                        assert changed.rowcount == 0, (outsider.name, verb)
                        savepoint.rollback()
    assert owner.execute(text("select count(*) from patients.patients")).scalar_one() == 2


def test_no_row_is_moved_into_another_organisation(context: Context, cast: Cast, norfjord: Filler) -> None:
    for table in PATIENT_TABLES:
        moved = text(
            f"update {table.fullname} set organization_id = '{cast.norfjord}' where organization_id = '{cast.llano}'"
        )
        author = cast.otto if table.fullname == DRAFTS else cast.harper
        assert _refused(context, author, moved), table.fullname


def test_every_table_of_patients_has_row_security(owner: Connection) -> None:
    """A new table in these rooms without a policy, or without the organisation's id, fails here."""
    assert [t.fullname for t in PATIENT_TABLES if "organization_id" not in t.columns] == []
    found = owner.execute(
        text(
            "select n.nspname || '.' || c.relname, c.relrowsecurity, count(p.polname), bool_or(p.polcmd <> '*' or not p.polpermissive), "
            "bool_or(p.polqual is null or p.polwithcheck is null) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "left join pg_policy p on p.polrelid = c.oid where c.relkind in ('r', 'p') and n.nspname = any(:schemas) group by 1, 2"
        ),
        {"schemas": list(SCHEMAS)},
    )
    secured = {
        name for name, enabled, policies, odd, open_ in found if enabled and policies == 1 and not odd and not open_
    }
    assert set(NAMES) - secured == set()


def test_the_record_is_seen_by_who_may(context: Context, cast: Cast, norfjord: Filler) -> None:
    with context.works.begin(system("test", cast.norfjord)) as work:
        work.record("case.created", organization_id=cast.norfjord, case_id=norfjord.rows["worklist.cases"]["id"])
    lines = text("select 1 from audit.events where action = 'case.created'")

    def sees(actor: Actor) -> bool:
        with context.works.read(actor) as work:
            return work.session.execute(lines).first() is not None

    assert [a.name for a in (cast.eirik, cast.runa, cast.nadia) if not sees(a)] == []
    outsiders = (cast.harper, cast.otto, cast.olga, cast.astrid, cast.pat, cast.imogen)
    assert [a.name for a in outsiders if sees(a)] == []


def test_the_record_can_not_be_changed_by_the_application(context: Context, cast: Cast) -> None:
    for sql in (
        "update audit.events set actor_name = 'x'", "delete from audit.events", "truncate audit.events",
        "update audit.leaves set hash = ''",
        "delete from audit.leaves", "delete from audit.tree_heads", "drop trigger await_sealing on audit.events",
    ):  # fmt: skip
        with (
            context.works.read(system("test")) as work,
            pytest.raises(ProgrammingError, match=REFUSED),
        ):
            work.session.execute(text(sql))


def test_the_application_role_owns_nothing_and_bypasses_nothing(context: Context) -> None:
    with context.engine.connect() as connection:
        row = connection.execute(
            text(
                "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles where rolname = current_user"
            )
        ).one()
        assert not any(row)
        mine = text(
            "select count(*) from pg_class where relowner = (select oid from pg_roles where rolname = current_user)"
        )
        assert connection.scalar(mine) == 0
        member_of = text(
            "select count(*) from pg_auth_members where member = (select oid from pg_roles where rolname = current_user)"
        )
        assert connection.scalar(member_of) == 0
    for sql in (
        "alter table patients.patients disable row level security", "create policy p on patients.patients using (true)",
        "set role heliograph_owner", "create table tenancy.x ()",
    ):  # fmt: skip
        with (
            context.engine.connect() as connection,
            pytest.raises(ProgrammingError, match=REFUSED),
        ):
            connection.execute(text(sql))


def test_no_view_and_no_function_goes_round_it(owner: Connection) -> None:
    """A view runs as its owner, a function by `security definer` too: each one is known here, and what it tells is not of patients."""
    views = owner.execute(
        text("select schemaname || '.' || viewname from pg_views where schemaname = any(:s)"), {"s": list(SCHEMAS)}
    )
    assert views.scalars().all() == []
    definers = owner.execute(
        text(
            "select n.nspname || '.' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace "
            "where p.prosecdef and n.nspname <> all(array['pg_catalog', 'information_schema'])"
        )
    )
    assert set(definers.scalars()) == {
        "tenancy.actor_groups",  # the actor's own roles
        "tenancy.actor_organizations",
        "tenancy.actor_administered",
        "worklist.reader_load",  # numbers
        "archive.count_of_own",  # a number, to the organisation whose it is; see tests/records/archive/test_search.py
        "audit.await_sealing",  # ids, into a table
    }


def test_the_models_name_every_table(owner: Connection) -> None:
    found = owner.execute(
        text("select schemaname || '.' || tablename from pg_tables where schemaname = any(:s)"), {"s": list(SCHEMAS)}
    )
    assert set(found.scalars()) == {t.fullname for t in metadata.sorted_tables}
