"""Row-level security: who may see which row, decided by the database itself.

The application role owns nothing. Each transaction sets `heliograph.user`, `heliograph.organizations` and `heliograph.kind`; the functions
below turn them into what the actor may see, evaluated once a query (a subselect in each policy).
"""

from __future__ import annotations

from alembic import context, op

revision = "0002"
down_revision = "0001"

# In PL/pgSQL where they read tables: its plans are kept for the session, while an SQL function is planned anew for each place in each
# query that a policy puts it in.
FUNCTIONS = """
create function tenancy.actor_user() returns uuid language sql stable parallel safe as
$$ select nullif(current_setting('heliograph.user', true), '')::uuid $$;

create function tenancy.actor_is_system() returns boolean language sql stable parallel safe as
$$ select coalesce(current_setting('heliograph.kind', true), '') = 'system' $$;

create function tenancy.actor_groups() returns uuid[] language plpgsql stable security definer set search_path = pg_catalog as $$
begin
    return (select coalesce(array_agg(distinct r.organization_id), '{}')
    from access.role_assignments r
    where r.user_id = tenancy.actor_user()
      and r.valid_from <= now() and (r.valid_until is null or r.valid_until > now())
      and (r.role = 'coordinator' or r.role = 'reader' and exists (
          select 1 from people.readers p join people.engagements e on e.reader_id = p.id
          where p.user_id = r.user_id and p.is_active and e.organization_id = r.organization_id
            and e.valid_from <= now() and (e.valid_until is null or e.valid_until > now()))));
end $$;
comment on function tenancy.actor_groups is
    'The groups whose grants the actor sees by: as a coordinator by the role alone, as a reader while the group engages them.';

create function tenancy.actor_organizations() returns uuid[] language plpgsql stable security definer set search_path = pg_catalog as $$
begin
    return (select coalesce(array_agg(distinct o), '{}') from (
        select unnest(nullif(current_setting('heliograph.organizations', true), '')::uuid[]) as o
        union all
        select r.organization_id
        from access.role_assignments r
        where r.user_id = tenancy.actor_user() and r.role in ('site_staff', 'coordinator', 'auditor')
          and r.valid_from <= now() and (r.valid_until is null or r.valid_until > now())
        union all
        select g.organization_id
        from access.role_assignments r
        join tenancy.grants g on g.grantee_organization_id = r.organization_id and g.purpose = 'coordination'
        where r.user_id = tenancy.actor_user() and r.role = 'coordinator'
          and r.valid_from <= now() and (r.valid_until is null or r.valid_until > now())
          and g.valid_from <= now() and (g.valid_until is null or g.valid_until > now())
    ) as seen);
end $$;

create function tenancy.actor_administered() returns uuid[] language plpgsql stable security definer set search_path = pg_catalog as $$
begin
    return (select coalesce(array_agg(distinct r.organization_id), '{}')
    from access.role_assignments r
    where r.user_id = tenancy.actor_user() and r.role = 'administrator'
      and r.valid_from <= now() and (r.valid_until is null or r.valid_until > now()));
end $$;

create function worklist.reader_load(readers uuid[], since timestamptz) returns table (reader_id uuid, open bigint, assigned bigint)
language sql stable security definer set search_path = pg_catalog as $$
    select r.reader_id, count(*) filter (where r.state in ('assigned', 'reading')), count(*) filter (where r.assigned_at >= since)
    from worklist.reads r
    where r.reader_id = any(readers) and (r.state in ('assigned', 'reading') or r.assigned_at >= since)
    group by r.reader_id
$$;
comment on function worklist.reader_load is
    'Open reads and reads assigned since, over all of a reader''s groups and clients: numbers, nothing else.';
"""

OWN = "organization_id = any((select tenancy.actor_organizations())::uuid[])"


def granted(patient: str) -> str:
    """A grant of that client for that patient to a group of the actor's, valid now. `patient` is `table.column`."""
    return (
        f"exists (select 1 from tenancy.grants g where g.patient_id = {patient} and g.organization_id = {patient.split('.', maxsplit=1)[0]}.organization_id "
        "and g.grantee_organization_id = any((select tenancy.actor_groups())::uuid[]) "
        "and g.valid_from <= now() and (g.valid_until is null or g.valid_until > now()))"
    )


def parent(parent: str, child: str, column: str) -> str:
    """The row that this one is part of can be seen, and is of the same organisation: nobody moves a part into another's house."""
    return f"exists (select 1 from {parent} p where p.id = {child}.{column} and p.organization_id = {child}.organization_id)"


POLICIES: dict[str, str] = {
    # An administrator gives and ends coordination, which names no patient.
    "tenancy.grants": f"{OWN} or grantee_organization_id = any((select tenancy.actor_groups())::uuid[]) "
    "or (patient_id is null and organization_id = any((select tenancy.actor_administered())::uuid[]))",
    "patients.patients": f"{OWN} or {granted('patients.id')}",
    "patients.identifiers": f"{OWN} or {granted('identifiers.patient_id')}",
    "sites.messages": OWN,
    "archive.studies": f"{OWN} or {granted('studies.patient_id')}",
    "archive.series": f"{OWN} or " + parent(parent="archive.studies", child="series", column="study_id"),
    "archive.instances": f"{OWN} or " + parent(parent="archive.studies", child="instances", column="study_id"),
    "archive.held_objects": OWN,
    "orders.orders": f"{OWN} or {granted('orders.patient_id')}",
    "orders.requested_procedures": f"{OWN} or "
    + parent(parent="orders.orders", child="requested_procedures", column="order_id"),
    "orders.order_documents": f"{OWN} or " + parent(parent="orders.orders", child="order_documents", column="order_id"),
    "orders.order_studies": f"{OWN} or " + parent(parent="orders.orders", child="order_studies", column="order_id"),
    "worklist.cases": f"{OWN} or {granted('cases.patient_id')}",
    "worklist.case_procedures": f"{OWN} or "
    + parent(parent="worklist.cases", child="case_procedures", column="case_id"),
    "worklist.case_studies": f"{OWN} or " + parent(parent="worklist.cases", child="case_studies", column="case_id"),
    "worklist.case_intervals": f"{OWN} or " + parent(parent="worklist.cases", child="case_intervals", column="case_id"),
    "worklist.reads": f"{OWN} or " + parent(parent="worklist.cases", child="reads", column="case_id"),
    "worklist.assignments": f"{OWN} or " + parent(parent="worklist.cases", child="assignments", column="case_id"),
    "worklist.alarms": f"{OWN} or " + parent(parent="worklist.cases", child="alarms", column="case_id"),
    "reading.reports": f"{OWN} or " + parent(parent="worklist.cases", child="reports", column="case_id"),
    "reading.drafts": "author_id = (select tenancy.actor_user())",
    "reading.edit_locks": f"{OWN} or " + parent(parent="reading.reports", child="edit_locks", column="report_id"),
    "reading.report_versions": f"{OWN} or "
    + parent(parent="worklist.cases", child="report_versions", column="case_id"),
    "delivery.deliveries": f"{OWN} or " + parent(parent="worklist.cases", child="deliveries", column="case_id"),
    "delivery.delivery_attempts": f"{OWN} or "
    + parent(parent="delivery.deliveries", child="delivery_attempts", column="delivery_id"),
}

CHECKS: dict[str, str] = {
    # Nobody gives themself sight of a patient: the platform gives grants, an administrator coordination alone.
    "tenancy.grants": f"((select tenancy.actor_is_system()) and {OWN}) "
    "or (patient_id is null and organization_id = any((select tenancy.actor_administered())::uuid[]))",
    # What an unknown sender sent belongs to nobody yet: anyone may log it, nobody of a client sees it.
    "sites.messages": f"{OWN} or organization_id is null",
    "reading.drafts": "author_id = (select tenancy.actor_user()) and "
    + parent("reading.reports", "drafts", "report_id"),
}
"""Where a row may be written under another condition than it is seen."""

RECORD = """
alter table audit.events enable row level security;
create policy write on audit.events for insert with check (true);
create policy see on audit.events for select using (
    organization_id = any((select tenancy.actor_organizations())::uuid[])
    or actor_id = (select tenancy.actor_user())
    or (select tenancy.actor_is_system())
    or (case_id is not null and exists (select 1 from worklist.cases c where c.id = events.case_id))
);
create function audit.await_sealing() returns trigger language plpgsql security definer set search_path = pg_catalog as
$$ begin insert into audit.pending (event_id) values (new.id); return null; end $$;
create trigger await_sealing after insert on audit.events for each row execute function audit.await_sealing();

create function reading.keep_version() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or row(old.*) is distinct from row(new.*) and (to_jsonb(old) - 'state') is distinct from (to_jsonb(new) - 'state') then
        raise exception 'a signed report version is immutable' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger keep_version before update or delete on reading.report_versions for each row execute function reading.keep_version();
"""

UNRECORDED = (
    "access.sessions", "access.sign_in_attempts", "access.passed_views", "reading.drafts", "reading.edit_locks", "audit.events",
    "audit.pending", "audit.leaves", "audit.tree_heads",
)  # fmt: skip
"""Tables whose rows may change without a line in the record, as in `heliograph.kit.work.BOOKKEEPING`."""

NOTE_CHANGE = """
create function tenancy.note_change() returns trigger language plpgsql as
$$ begin perform set_config('heliograph.changed', tg_table_schema || '.' || tg_table_name, true); return null; end $$;
comment on function tenancy.note_change is
    'Tells Work, until the transaction ends, that a row changed, by ORM, SQL or COPY alike: it then refuses to commit without a record.';
do $do$
declare t record;
begin
    for t in
        select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and n.nspname = any(array[{schemas}]) and n.nspname || '.' || c.relname <> all(array[{unrecorded}])
    loop
        execute format(
            'create trigger note_change after insert or update or delete on %I.%I for each row '
            'when (coalesce(current_setting(%L, true), %L) = %L) execute function tenancy.note_change()',
            t.nspname, t.relname, 'heliograph.changed', '', '');
    end loop;
end $do$;
"""


def upgrade() -> None:
    app_role = context.config.attributes["app_role"]
    schemas = ("tenancy", "access", "audit", "sites", "people", "agreements", "patients", "archive", "orders", "rota", "worklist", "reading", "delivery")  # fmt: skip
    op.execute(FUNCTIONS)
    for table, using in POLICIES.items():
        op.execute(f"alter table {table} enable row level security")
        check = CHECKS.get(table, using)
        op.execute(f"create policy tenants on {table} using ({using}) with check ({check})")
    op.execute(RECORD)
    quoted = {"schemas": ", ".join(f"'{s}'" for s in schemas), "unrecorded": ", ".join(f"'{t}'" for t in UNRECORDED)}
    op.execute(NOTE_CHANGE.replace("{schemas}", quoted["schemas"]).replace("{unrecorded}", quoted["unrecorded"]))
    for schema in schemas:
        op.execute(f'grant usage on schema {schema} to "{app_role}"')
        op.execute(f'grant select, insert, update, delete on all tables in schema {schema} to "{app_role}"')
        op.execute(
            f'alter default privileges in schema {schema} grant select, insert, update, delete on tables to "{app_role}"'
        )
    op.execute(f'revoke update, delete on audit.events, audit.leaves, audit.tree_heads from "{app_role}"')
    op.execute(f'revoke update on audit.pending from "{app_role}"')
    op.execute(f'revoke delete on tenancy.grants from "{app_role}"')  # they end; what was seen by them stays known
    op.execute(f'grant usage on schema public to "{app_role}"')
    op.execute(f'grant select on public.alembic_version to "{app_role}"')
