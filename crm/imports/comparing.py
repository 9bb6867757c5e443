# ruff: noqa: S608 - the names put into statements are those of our own tables and columns
"""Staged customers against each other and against those already known, before anything is written.

Afterwards every staged row that is not ``skipped`` stands for one person nobody else in the file stands for, and a table
beside says which known customer it is, if any. The rules of who is who are those of `crm.imports.folding`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from django.db import connection
from psycopg.types.json import Jsonb

from crm.imports.customer_rows import IDENTITIES, STAGED
from crm.imports.folding import TAKEN, Folded, Folder, Group, merge
from crm.imports.rows import Finding
from crm.imports.running import WHOLE_TABLES, Run
from crm.imports.staging import keep_findings

BATCH: Final = 20_000
ROWS_STREAMED: Final = 500
Item = TypeVar("Item")
_SAME_PERSON: Final = "The row names the same person as row %(first)s; both were taken as one."
COLUMNS: Final = tuple(STAGED)
# A row with its place in the staging table, where nobody but the run moves rows.
_PLACED: Final = f"row_no, staged.ctid::text, {', '.join(COLUMNS)}"


def compare_customers(run: Run, repeated: list[int]) -> None:
    """Fold rows of one person, refuse those that contradict each other or the customers known; inside a tenant scope.

    Args:
        repeated: the rows that may name a person whom another row names too.
    """
    run.execute(WHOLE_TABLES)
    if repeated:
        _fold(run, repeated)
    if run.fetch("select exists (select from crm_customer where organization_id = %s)", [run.organization_id])[0][0]:
        are_plain = match_known(run)
        run.fetch("select crm_seal_import_known(%s)", [run.job_id])
        if not are_plain:
            _fold_same_customer(run)


def _kinds(run: Run) -> list[str]:
    """Kinds of identities that rows can have, the strongest first."""
    return [kind for kind in IDENTITIES if kind in run.plan.columns or (kind == "email" and run.plan.email_template)]


def _fold(run: Run, repeated: list[int]) -> None:
    """Fold these rows, in the order of the file."""
    folder, places = Folder(), {}
    statement = f"select {_PLACED} from {run.table} as staged where row_no = any(%s::bigint[]) order by row_no"
    with connection.connection.cursor() as cursor:
        # The database goes on reading while these are folded.
        for row_no, place, *values in cursor.stream(statement, [repeated], size=ROWS_STREAMED):
            places[row_no] = place
            folder.take(row_no, _said(values))
    _keep(run, folder.result(), places)


def _keep(run: Run, folded: Folded, places: dict[int, str]) -> None:
    """Write what became of folded rows back to their places in the staging table."""
    merged = [{"place": places[group.first_row]} | {name: _plain(group.values[name]) for name in COLUMNS} for group in folded.groups]
    gone = [places[row] for row in (*folded.absorbed, *folded.refused)]
    run.execute("set local enable_nestloop = on")  # each is found by its place
    for batch in _batches(merged):
        run.execute(_TAKE_BACK.format(table=run.table), [Jsonb(batch)])
    run.execute(_SKIP.format(table=run.table), [gone])
    run.execute(WHOLE_TABLES)
    run.counts["repeated"] = run.counts.get("repeated", 0) + len(folded.absorbed)
    findings = [
        *(Finding(row, False, "repeated", _SAME_PERSON, "", "", {"first": first}) for row, first in folded.absorbed.items()),
        *(Finding(row, True, f"{kind}_taken", TAKEN[kind], kind, "", {"first": first}) for row, (kind, first) in folded.refused.items()),
    ]
    keep_findings(run, sorted(findings, key=lambda finding: finding.row))


_TAKE_BACK: Final = f"""
update {{table}} as staged set {", ".join(f"{name} = new.{name}" for name in COLUMNS)}
from jsonb_to_recordset(%s) as new (place tid, {", ".join(f"{name} {STAGED[name]}" for name in COLUMNS)})
where staged.ctid = new.place
"""
_SKIP: Final = "update {table} as staged set skipped = true from unnest(%s::tid[]) as gone (place) where staged.ctid = gone.place"


def _said(values: list[Any]) -> dict[str, Any]:
    """What a staged row says; Django's connections hand JSON out as text."""
    named = zip(COLUMNS, values, strict=True)
    return {name: json.loads(value) if value is not None and STAGED[name] == "jsonb" else value for name, value in named}


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def match_known(run: Run, first_row: int = 0, last_row: int = 2**62) -> bool:
    """Write down which rows of a range are which known customers; refuse those whose identities are at odds.

    Answers whether every row was by all it says its customer's. Most of a file that comes again are, and are found by
    one join; only the others are looked at identity by identity.
    """
    names = {"table": run.table, "known": run.known, "strongest": _kinds(run)[0]}
    parameters = {"organization": run.organization_id, "first": first_row, "last": last_row}
    run.execute(_MATCH_PLAIN.format(**names), parameters)
    if not run.gather("import_unmatched", _UNMATCHED.format(**names), parameters):
        return True
    run.execute("set local enable_nestloop = on")
    also = run.fetch("select exists (select from crm_identity where organization_id = %s)", [run.organization_id])[0][0]
    _keep_clashes(run, run.fetch(_MATCH.format(**names, **{kind: _known_as(kind, also) for kind in IDENTITIES}), parameters))
    return False


def compare_again(run: Run, first_row: int, last_row: int) -> None:
    """Compare a range once more, where somebody else wrote since: rows of customers known, and rows of those created meanwhile."""
    parameters = {"organization": run.organization_id, "first": first_row, "last": last_row}
    _keep_clashes(run, run.fetch(_TAKEN_SINCE.format(table=run.table, known=run.known), parameters))
    if not match_known(run, first_row, last_row):
        _fold_same_customer(run, first_row, last_row)


def _keep_clashes(run: Run, clashes: list[tuple[Any, ...]]) -> None:
    """Write down which rows were refused and which customer has what they name."""
    keep_findings(
        run,
        [Finding(row, True, code, _CLASHES[code], code.removesuffix("_taken"), "", {"holder": holder}) for row, code, holder in clashes],
    )


def _known_as(kind: str, also: bool) -> str:
    known = f"select {kind} as value, id from crm_customer where organization_id = %(organization)s and {kind} <> ''"
    if not also:
        return known
    identity = "external" if kind == "external_id" else kind
    # A customer's main identity goes before another's former one.
    return (
        f"select distinct on (value) value, id from (select value, id, 0 as rank from ({known}) as main union all"
        f" select value, customer_id, 1 from crm_identity where organization_id = %(organization)s and kind = '{identity}'"
        f" and source = '') as names order by value, rank"
    )


# The identity that is found first names the customer; a stronger one that says otherwise, or a weaker one that is
# another customer's, refuses the row.
_MATCH: Final = """
with named as (
    select s.row_no, c.id,
        case
            when e.id <> c.id then 'email_taken'
            when p.id <> c.id then 'phone_taken'
            when x.id is null and s.external_id is not null and c.external_id <> '' then
                case when e.id is not null then 'email_taken' else 'phone_taken' end
            when x.id is null and e.id is null and s.email is not null and c.email <> '' then 'phone_taken'
        end as code,
        case when e.id <> c.id then e.id when p.id <> c.id then p.id else c.id end as holder
    from import_unmatched as s
    left join ({external_id}) as x on x.value = s.external_id
    left join ({email}) as e on e.value = s.email
    left join ({phone}) as p on p.value = s.phone
    join crm_customer as c on c.organization_id = %(organization)s and c.id = coalesce(x.id, e.id, p.id)
),
matched as (insert into {known} (row_no, customer_id) select row_no, id from named where code is null),
refused as (update {table} as staged set skipped = true from named where named.row_no = staged.row_no and named.code is not null)
select row_no, code, holder from named where code is not null order by row_no
"""
_UNDECIDED: Final = """
s.row_no between %(first)s and %(last)s and s.skipped is null and not exists (select from {known} as k where k.row_no = s.row_no)
"""
# No identity can be somebody else's where all that a row names are one customer's main ones: those are unique.
_MATCH_PLAIN: Final = f"""
insert into {{known}} (row_no, customer_id)
select s.row_no, c.id
from {{table}} as s join crm_customer as c on c.organization_id = %(organization)s and c.{{strongest}} = s.{{strongest}}
where {_UNDECIDED}{"".join(f" and (s.{kind} is null or s.{kind} = c.{kind})" for kind in IDENTITIES)}
"""
# In the database's collation, so that the indexes of customers can be used.
_UNMATCHED: Final = f"""
select s.row_no, {", ".join(f's.{kind} collate "default" as {kind}' for kind in IDENTITIES)} from {{table}} as s where {_UNDECIDED}
"""
# Rows whose customer was found before somebody else got what they name; said as `_MATCH` would say it now.
_TAKEN_SINCE: Final = f"""
with said as (
    select s.row_no, k.customer_id, {", ".join(f's.{kind} collate "default" as {kind}' for kind in IDENTITIES)}
    from {{table}} as s join {{known}} as k using (row_no)
    where s.row_no between %(first)s and %(last)s and s.skipped is null
),
taken as (
    select s.row_no,
        case
            when by_external_id.id is not null then case when s.email = c.email or s.phone is null then 'email_taken' else 'phone_taken' end
            when by_email.id is not null then 'email_taken'
            else 'phone_taken'
        end as code,
        case when by_external_id.id is not null then c.id else coalesce(by_email.id, by_phone.id) end as holder
    from said as s
    join crm_customer as c on c.organization_id = %(organization)s and c.id = s.customer_id
    {
    " ".join(
        f"left join crm_customer as by_{kind} on by_{kind}.organization_id = %(organization)s and by_{kind}.{kind} = s.{kind}"
        f" and by_{kind}.{kind} <> '' and by_{kind}.id <> c.id"
        for kind in IDENTITIES
    )
}
    where coalesce(by_external_id.id, by_email.id, by_phone.id) is not null
),
refused as (update {{table}} as staged set skipped = true from taken where taken.row_no = staged.row_no)
select row_no, code, holder from taken order by row_no
"""
_CLASHES: Final = {
    "email_taken": "The e-mail address belongs to another customer (#%(holder)s).",
    "phone_taken": "The phone number belongs to another customer (#%(holder)s).",
}


def _fold_same_customer(run: Run, first_row: int = 0, last_row: int = 2**62) -> None:
    """Rows that name one known customer by different identities become one row too."""
    rows = run.fetch(_SAME_CUSTOMER.format(table=run.table, known=run.known), [first_row, last_row, first_row, last_row])
    names = _names_of(run, {customer_id for customer_id, *_ in rows})
    folded, places = Folded(), {}
    group, known = None, 0
    for customer_id, row_no, place, *rest in rows:
        places[row_no] = place
        values = _said(rest)
        if group is None or customer_id != known:
            group, known = Group(row_no, values), customer_id
            folded.groups.append(group)
        elif (found_by := names[customer_id].at_odds(values)) is not None:
            folded.refused[row_no] = found_by, group.first_row
            continue
        else:
            merge(group.values, values)
            folded.absorbed[row_no] = group.first_row
        names[customer_id].add(values)
    if folded.groups:
        _keep(run, folded, places)


@dataclass(slots=True)
class Names:
    """What a customer is known by: identities of every kind, former ones too, and the kinds of which there is one that holds."""

    known: set[tuple[str, str]] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)

    def add(self, values: dict[str, Any]) -> None:
        """The customer is known by what a row names too."""
        given = {(kind, values[kind]) for kind in IDENTITIES if values[kind]}
        self.known |= given
        self.kinds |= {kind for kind, _ in given}

    def at_odds(self, values: dict[str, Any]) -> str | None:
        """By which kind a row names the customer whom a stronger identity that it gives contradicts, if one does."""
        given = [kind for kind in IDENTITIES if values[kind]]
        found_by = next((kind for kind in given if (kind, values[kind]) in self.known), given[-1])
        return None if self.kinds.isdisjoint(given[: given.index(found_by)]) else found_by


def _names_of(run: Run, customer_ids: set[int]) -> dict[int, Names]:
    names = {customer_id: Names() for customer_id in customer_ids}
    parameters = {"organization": run.organization_id, "customers": list(customer_ids)}
    for customer_id, *values in run.fetch(_MAIN_NAMES, parameters):
        names[customer_id].add(dict(zip(IDENTITIES, values, strict=True)))
    for customer_id, kind, value in run.fetch(_FORMER_NAMES, parameters):
        names[customer_id].known.add((kind, value))
    return names


_SAME_CUSTOMER: Final = f"""
select customer_id, {_PLACED}
from {{table}} as staged join {{known}} using (row_no)
where skipped is null and row_no between %s and %s and customer_id in (
    select customer_id from {{known}} where row_no between %s and %s group by customer_id having count(*) > 1
)
order by customer_id, row_no
"""
_MAIN_NAMES: Final = f"""
select id, {", ".join(IDENTITIES)} from crm_customer where organization_id = %(organization)s and id = any(%(customers)s::bigint[])
"""
_FORMER_NAMES: Final = """
select customer_id, case kind when 'external' then 'external_id' else kind end, value from crm_identity
where organization_id = %(organization)s and customer_id = any(%(customers)s::bigint[]) and source = ''
"""


def _batches(items: list[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
