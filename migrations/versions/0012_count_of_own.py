"""How many studies an organisation has, for who is of it: without asking of each row whether it may be seen."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

# As the policy of archive.studies lets its own organisations see all, and as a search finds what has images (records.archive.search).
COUNT_OF_OWN = """
create function archive.count_of_own(organization uuid, most integer) returns bigint
language plpgsql stable security definer set search_path = pg_catalog as $$
begin
    if organization = any(tenancy.actor_organizations()) then
        return (select count(*) from (
            select 1 from archive.studies where organization_id = organization and number_of_series > 0 limit most) as found);
    end if;
    return null;
end $$;
comment on function archive.count_of_own is
    'The studies with images of one of the actor''s own organisations, counted up to most; null for any other organisation.';
"""


def upgrade() -> None:
    op.execute("create index ix_studies_with_images on archive.studies (organization_id) where number_of_series > 0")
    op.execute(COUNT_OF_OWN)
