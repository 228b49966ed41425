"""What searches of the archive need: names as they are compared, and indexes for the usual questions.

Row-level security lets an index serve only comparisons that can't leak (=, >=, <), on columns as they are: so what is compared is a
column of its own, and a name's beginning is a range.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

# Case, accents and punctuation gone: words, each behind a space. The same as records/archive/search_values.py has it.
FOLDED = r"""
create function archive.folded(value text) returns text language sql immutable parallel safe strict as $$
    select ' ' || regexp_replace(regexp_replace(normalize(
        translate(
            replace(replace(replace(replace(lower(value collate "pg_c_utf8"), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
            'øłđðı', 'olddi'),
        nfkd), '[\u0300-\u036f]+', '', 'g'), '[\s^=,.''’_-]+', ' ', 'g')
$$
"""
# A date and time of any precision, in UTC; `zone`, a name or an offset, is for one that has none. Null for what is no moment.
INSTANT = r"""
create function archive.instant(value text, zone text) returns timestamp language plpgsql immutable parallel safe strict as $$
declare
    d text := regexp_replace(value, '[^0-9].*$', '');
    o text := coalesce(substring(value from '[+-][0-9]{4}$'), substring(zone from '^[+-][0-9]{4}$'));
    at timestamp;
begin
    d := d || substr('00000101000000', length(d) + 1);
    at := make_timestamp(left(d, 4)::int, substr(d, 5, 2)::int, substr(d, 7, 2)::int, substr(d, 9, 2)::int, substr(d, 11, 2)::int,
        coalesce(substr(d, 13, 2) || substring(value from '\.[0-9]+'), substr(d, 13, 2))::float8);
    if o is null then
        return at at time zone zone at time zone 'UTC';
    end if;
    return at - (left(o, 1) || '1')::int * make_interval(hours => substr(o, 2, 2)::int, mins => substr(o, 4, 2)::int);
exception when data_exception then
    return null;
end $$
"""
GROUPS = {"name_alphabetic": 1, "name_ideographic": 2, "name_phonetic": 3}


def upgrade() -> None:
    op.execute(FOLDED)
    op.execute(INSTANT)
    op.execute('alter table archive.studies alter column dicom_patient_id type text collate "C"')
    for column, number in GROUPS.items():
        op.execute(
            f'alter table archive.studies add column {column} text collate "C" generated always as '
            f"(nullif(lower(split_part(dicom_patient_name, '=', {number}) collate \"pg_c_utf8\"), '')) stored"
        )
    op.execute(
        'alter table archive.studies add column name_folded text collate "C" generated always as '
        "(archive.folded(dicom_patient_name)) stored"
    )
    op.create_index("ix_studies_dicom_patient", "studies", ["organization_id", "dicom_patient_id"], schema="archive")
    op.execute(
        "create index ix_studies_newest on archive.studies "
        "(organization_id, study_date desc nulls last, first_received_at desc, id)"
    )
    op.create_index("ix_studies_name", "studies", ["organization_id", "name_alphabetic"], schema="archive")
    for column in ("name_ideographic", "name_phonetic"):
        op.create_index(
            f"ix_studies_{column}",
            "studies",
            ["organization_id", column],
            schema="archive",
            postgresql_where=f"{column} is not null",
        )
    op.create_index("ix_series_uid", "series", ["organization_id", "series_instance_uid"], schema="archive")
