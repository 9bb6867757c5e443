# ruff: noqa: S608 - the names put into statements are those of our own tables and columns
"""Staged customers against each other and against those already known, before anything is written.

Afterwards every staged row that is not ``skipped`` stands for one person nobody else in the file stands for, and a table
beside says which known customer it is, if any. The rules of who is who are those of `crm.imports.folding`.
"""

from collections.abc import Iterator
from typing import Any, Final, TypeVar

from django.db import connection
from psycopg.types.json import Jsonb

from crm.imports.customer_rows import IDENTITIES, STAGED
from crm.imports.folding import TAKEN, Folded, Folder, Group, merge
from crm.imports.rows import Finding
from crm.imports.running import WHOLE_TABLES, Run
from crm.imports.staging import keep_findings

BATCH: Final = 20_000
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
    with connection.connection.cursor(name="import_rows") as cursor:
        cursor.itersize = 2_000
        for row_no, place, *values in cursor.execute(statement, [repeated]):
            places[row_no] = place
            folder.take(row_no, dict(zip(COLUMNS, values, strict=True)))
    _keep(run, folder.result(), places)


def _keep(run: Run, folded: Folded, places: dict[int, str]) -> None:
    """Write what became of folded rows back to their places in the staging table."""
    merged = [{"place": places[group.first_row]} | {name: _plain(group.values[name]) for name in COLUMNS} for group in folded.groups]
    gone = [{"place": places[row], "skipped": True} for row in (*folded.absorbed, *folded.refused)]
    run.execute("set local enable_nestloop = on")  # each is found by its place
    for batch in _batches([*merged, *gone]):
        run.execute(_TAKE_BACK.format(table=run.table), [Jsonb(batch)])
    run.execute(WHOLE_TABLES)
    run.counts["repeated"] = run.counts.get("repeated", 0) + len(folded.absorbed)
    findings = [
        *(Finding(row, False, "repeated", _SAME_PERSON, "", "", {"first": first}) for row, first in folded.absorbed.items()),
        *(Finding(row, True, f"{kind}_taken", TAKEN[kind], kind, "", {"first": first}) for row, (kind, first) in folded.refused.items()),
    ]
    keep_findings(run, sorted(findings, key=lambda finding: finding.row))


_TAKE_BACK: Final = f"""
update {{table}} as staged set {", ".join(f"{name} = new.{name}" for name in COLUMNS)}, skipped = new.skipped
from jsonb_to_recordset(%s) as new (place tid, {", ".join(f"{name} {STAGED[name]}" for name in COLUMNS)}, skipped boolean)
where staged.ctid = new.place
"""


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
    refused = run.fetch(_MATCH.format(**names, **{kind: _known_as(kind, also) for kind in IDENTITIES}), parameters)
    keep_findings(
        run,
        [Finding(row, True, code, _CLASHES[code], code.removesuffix("_taken"), "", {"holder": holder}) for row, code, holder in refused],
    )
    return False


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
_CLASHES: Final = {
    "email_taken": "The e-mail address belongs to another customer (#%(holder)s).",
    "phone_taken": "The phone number belongs to another customer (#%(holder)s).",
}


def _fold_same_customer(run: Run) -> None:
    """Rows that name one known customer by different identities become one row too."""
    statement = (
        f"select customer_id, {_PLACED} from {run.table} as staged join {run.known} using (row_no) where customer_id in"
        f" (select customer_id from {run.known} group by customer_id having count(*) > 1) order by customer_id, row_no"
    )
    folded, places = Folded(), {}
    group, known = None, 0
    for customer_id, row_no, place, *rest in run.fetch(statement):
        places[row_no] = place
        values = dict(zip(COLUMNS, rest, strict=True))
        if group is None or customer_id != known:
            group, known = Group(row_no, values), customer_id
            folded.groups.append(group)
        else:
            merge(group.values, values)
            folded.absorbed[row_no] = group.first_row
    if folded.groups:
        _keep(run, folded, places)


def _batches(items: list[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
