# ruff: noqa: S608 - the names put into statements are those of our own tables and columns
"""Staged customers into the tables of the product, a range of rows at a time.

Each range is one transaction that also writes its ``ImportChunk``: a killed import goes on behind the last one.
Ranges share no person, so two connections can write at once.

What a row says stands over what was known, and what it leaves empty says nothing: no cell ever blanks a value. Tags
and custom attributes are added to. A replaced e-mail or phone stays known as a further identity. A consent that was
withdrawn is never granted again by a file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError, transaction

from crm.imports.comparing import compare_again
from crm.imports.running import NOT_WAITING, Run
from crm.models import Customer, ImportChunk
from crm.normalisation.names import name_key

ROWS_IN_CHUNK: Final = 25_000
ATTEMPTS: Final = 3
_TEXTS: Final = (
    "external_id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "gender",
    "language",
    "time_zone",
    "street",
    "city",
    "state",
    "postal_code",
    "country",
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A range of rows to write."""

    first_row: int
    last_row: int


def open_chunks(run: Run) -> list[Chunk]:
    """The ranges that are not written yet."""
    ((first, last),) = run.fetch(f"select min(row_no), max(row_no) from {run.table}")
    written = set(ImportChunk.objects.filter(job_id=run.job_id).values_list("first_row", flat=True))
    if first is None:
        return []
    starts = range(first - first % ROWS_IN_CHUNK, last + 1, ROWS_IN_CHUNK)
    return [Chunk(start, start + ROWS_IN_CHUNK - 1) for start in starts if start not in written]


def write_chunk(run: Run, chunk: Chunk) -> dict[str, int]:
    """Write one range; inside a tenant scope. Somebody else's new customer with the same identity is met by asking again."""
    return write_in_attempts(lambda: _write_and_note(run, chunk), lambda: compare_again(run, chunk.first_row, chunk.last_row))


def write_in_attempts(write: Callable[[], dict[str, int]], compare: Callable[[], None]) -> dict[str, int]:
    """Write; as often as somebody else wrote the same meanwhile, compare with what is known by now and write again.

    Raises:
        IntegrityError: the last attempt met somebody too, or what cannot be written whoever else writes.
    """
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return write()
        except IntegrityError:
            if attempt == ATTEMPTS - 1:
                raise
            compare()
    raise AssertionError("unreachable")


def _write_and_note(run: Run, chunk: Chunk) -> dict[str, int]:
    run.execute(NOT_WAITING)
    counts = _write(run, chunk)
    ImportChunk.objects.create(job_id=run.job_id, first_row=chunk.first_row, last_row=chunk.last_row, counts=counts, written_at=run.now)
    return counts


def _write(run: Run, chunk: Chunk) -> dict[str, int]:
    parameters = {
        "organization": run.organization_id,
        "first": chunk.first_row,
        "last": chunk.last_row,
        "now": run.now,
        "job": run.job_id,
    }
    with_consents = any(name.startswith("consent_") for name in run.plan.columns)
    if with_consents:
        run.execute(_CREATED)
    names = {"table": run.table, "known": run.known}
    run.execute(_AS_A_WHOLE)
    created = run.execute((_INSERT_REMEMBERED if with_consents else _INSERT).format(**names), parameters)
    matched = run.fetch(_MATCHED.format(**names), parameters)[0][0]
    run.execute(_ONE_BY_ONE)
    updated = 0
    if matched and (updated := run.gather("import_changed", _CHANGED.format(**names), parameters)):
        run.execute(_FORMER.format(**names), parameters)
        changed = run.fetch(_UPDATE.format(**names), parameters)
        _refold([customer_id for customer_id, half_a_name in changed if half_a_name])
    consents = _write_consents(run, parameters) if with_consents else 0
    return {"created": created, "updated": updated, "unchanged": matched - updated, "consents": consents}


def _refold(customer_ids: list[int]) -> None:
    """Search keys of customers of whom only one half of the name changed."""
    customers = list(Customer.objects.filter(pk__in=customer_ids))
    for customer in customers:
        customer.search_key = name_key(customer.first_name, customer.last_name)
    Customer.objects.bulk_update(customers, ["search_key"], batch_size=1_000)


def _write_consents(run: Run, parameters: dict[str, Any]) -> int:
    run.execute(
        "create temp table if not exists import_consents (customer_id bigint, channel text, state text, row_no bigint) on commit drop"
    )
    run.execute("truncate import_consents")
    run.execute("analyze import_created")
    run.execute(_CONSENTS.format(table=run.table, known=run.known), parameters)
    run.execute("analyze import_consents")
    return run.execute(_CONSENT_STATE, parameters)


# Of staged rows the planner expects one in two hundred: two whole ranges it would compare row with row, for minutes. Those who
# change are few, and are looked up.
_AS_A_WHOLE: Final = "set local enable_nestloop = off"
_ONE_BY_ONE: Final = "set local enable_nestloop = on"
_IN_CHUNK: Final = "s.row_no between %(first)s and %(last)s and s.skipped is null"
_KNOWN: Final = "(select row_no, customer_id from {known} where row_no between %(first)s and %(last)s)"
_NEW: Final = f"{_IN_CHUNK} and not exists (select from {_KNOWN} as k where k.row_no = s.row_no)"
# Whom this range created: looked up again by what the rows say, in a small table whose statistics are true.
_CREATED: Final = """
drop table if exists pg_temp.import_created;
create temp table import_created (id bigint, external_id text, email text, phone text) on commit drop
"""
# Their keys are drawn at once and given by row: two connections that draw one after another meet in the same pages all the
# time, and rows that are carried through a sort or kept for a second look are copied each time. Facts wait for the last
# customer, which is all that putting their keys in order is for: row by row, one more index crowds the others out of the caches.
_INSERT: Final = f"""
with keys as materialized (
    select array(select nextval('crm_customer_id_seq') from generate_series(%(first)s, %(last)s)) as drawn
),
created as (
    insert into crm_customer (
        id, organization_id, {", ".join(_TEXTS)}, birthday, tags, attributes, preferred_location_id, search_key, created_at, updated_at
    )
    select (select drawn from keys)[s.row_no - %(first)s + 1], %(organization)s, {", ".join(f"coalesce({name}, '')" for name in _TEXTS)},
        birthday, coalesce(tags, '{{{{}}}}'), coalesce(attributes, '{{{{}}}}'), preferred_location_id, coalesce(search_key, ''),
        %(now)s, %(now)s
    from {{table}} as s where {_NEW}
    returning id
)
insert into crm_customerfacts (organization_id, customer_id) select %(organization)s, id from created order by id
"""
_INSERT_REMEMBERED: Final = _INSERT.replace("returning id", "returning id, external_id, email, phone").replace(
    ")\ninsert into crm_customerfacts",
    "),\nremembered as (insert into import_created select * from created)\ninsert into crm_customerfacts",
)
_MATCHED: Final = f"select count(*) from {{table}} as s join {_KNOWN} as k using (row_no) where {_IN_CHUNK}"
# Whom this range changes: nobody when a file comes again, so all that follows looks at these alone.
# Each is looked up by its key (``offset 0``): customers just imported have no statistics, and a join would read them all.
_CHANGED: Final = f"""
select s.row_no, c.id
from {{table}} as s
join {_KNOWN} as k using (row_no)
cross join lateral (select * from crm_customer where organization_id = %(organization)s and id = k.customer_id offset 0) as c
where {_IN_CHUNK}
    and (
        {" or ".join(f"s.{name} <> c.{name}" for name in _TEXTS)}
        or s.birthday is distinct from c.birthday and s.birthday is not null
        or s.preferred_location_id is distinct from c.preferred_location_id and s.preferred_location_id is not null
        or not c.tags::text[] @> coalesce(s.tags, '{{{{}}}}')
        or not c.attributes @> coalesce(s.attributes, '{{{{}}}}')
    )
"""
_UPDATE: Final = f"""
update crm_customer as c set
    {", ".join(f"{name} = coalesce(s.{name}, c.{name})" for name in _TEXTS)},
    birthday = coalesce(s.birthday, c.birthday),
    preferred_location_id = coalesce(s.preferred_location_id, c.preferred_location_id),
    tags = case when s.tags is null or c.tags::text[] @> s.tags then c.tags
        else c.tags || array(select tag from unnest(s.tags) as tag where tag <> all (c.tags)) end,
    attributes = c.attributes || coalesce(s.attributes, '{{{{}}}}'),
    search_key = coalesce(s.search_key, c.search_key),
    updated_at = %(now)s
from {{table}} as s join import_changed as changed using (row_no)
where c.organization_id = %(organization)s and c.id = changed.id and {_IN_CHUNK}
returning c.id, s.search_key is not null and (s.first_name is null or s.last_name is null)
"""
_FORMER: Final = f"""
insert into crm_identity (organization_id, customer_id, kind, source, value, created_at)
select %(organization)s, c.id, former.kind, '', former.value, %(now)s
from {{table}} as s
join import_changed as changed using (row_no)
join crm_customer as c on c.organization_id = %(organization)s and c.id = changed.id
cross join lateral (values ('email', c.email, s.email), ('phone', c.phone, s.phone)) as former (kind, value, new)
where {_IN_CHUNK} and former.value <> '' and former.new <> former.value
on conflict do nothing
"""
_BY_IDENTITY: Final = (
    "s.external_id = c.external_id",
    "s.external_id is null and s.email = c.email",
    "s.external_id is null and s.email is null and s.phone = c.phone",
)
# A withdrawn consent outlives every file that says yes: the file may be older than the withdrawal.
_CONSENTS: Final = f"""
insert into import_consents
select named.id, said.key, said.value, named.row_no
from (
    select k.customer_id as id, s.row_no, s.consents from {{table}} as s join {_KNOWN} as k using (row_no)
    where {_IN_CHUNK} and s.consents is not null
    {
    "".join(
        f" union all select c.id, s.row_no, s.consents from {{table}} as s join import_created as c on {same}"
        f" where {_NEW} and s.consents is not null"
        for same in _BY_IDENTITY
    )
}
) as named
cross join lateral jsonb_each_text(named.consents) as said
left join crm_consent as known on known.organization_id = %(organization)s and known.customer_id = named.id
    and known.channel = said.key and known.purpose = 'marketing'
where known.state is null or known.state <> said.value and known.state <> 'withdrawn'
"""
# Somebody may have said something since those were gathered: what holds is looked at again where it is written, and only what
# was written is proven.
_CONSENT_STATE: Final = """
with written as (
    insert into crm_consent as known (organization_id, customer_id, channel, purpose, state, changed_at)
    select %(organization)s, customer_id, channel, 'marketing', state, %(now)s from import_consents
    on conflict (organization_id, customer_id, channel, purpose) do update set state = excluded.state, changed_at = excluded.changed_at
        where known.state <> 'withdrawn' and known.state <> excluded.state
    returning customer_id, channel
)
insert into crm_consentchange (organization_id, customer_id, channel, purpose, state, at, source, proof)
select %(organization)s, customer_id, channel, 'marketing', state, %(now)s, 'import', jsonb_build_object('import', %(job)s, 'row', row_no)
from import_consents join written using (customer_id, channel)
"""
