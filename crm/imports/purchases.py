# ruff: noqa: S608 - the names put into statements are those of our own tables and columns
"""Staged lines of receipts into purchases, all of a file in one transaction.

Lines with one receipt number are one receipt. Receipts of less than nothing in sum become refunds, and of those of
nothing the cancellations: with a number that begins with C and a digit, or with fewer things than none. Lines that
stand twice are kept, since totals over all lines are the truth, and noted.
A receipt that is known already is left as it is: the same again changes nothing, another total is refused.
Lines that name nobody are anonymous sales; people named but unknown become customers.
"""

from typing import Any, Final

from crm.events import ensure_months
from crm.imports.rows import Finding
from crm.imports.running import WHOLE_TABLES, Run
from crm.imports.staging import keep_findings
from crm.imports.writing import Chunk, write_in_attempts
from crm.models import ImportChunk

WHOLE: Final = Chunk(0, 2**62)


def compare_purchases(run: Run) -> None:
    """Note lines that stand twice; refuse receipts that contradict themselves or what is known."""
    run.execute(WHOLE_TABLES)
    repeated = run.fetch(_REPEATED.format(table=run.table))
    run.counts["repeated"] = len(repeated)
    keep_findings(
        run,
        [
            Finding(row, False, "repeated_line", "The line stands in row %(first)s too; both were counted.", "", "", {"first": first})
            for row, first in repeated
        ],
    )
    _refuse(run, _SEVERAL_PEOPLE, "receipt_customers", "The receipt names more than one customer.")
    _refuse_changed(run)


def _refuse_changed(run: Run) -> None:
    _refuse(run, _OTHER_TOTAL, "receipt_changed", "The receipt is known already with another total; it was left as it is.")


def _refuse(run: Run, condition: str, code: str, message: str) -> None:
    rows = run.fetch(
        f"update {run.table} as s set skipped = true where skipped is null and number in ({condition.format(table=run.table)})"
        " returning row_no",
        {"organization": run.organization_id},
    )
    keep_findings(run, [Finding(row, True, code, message, "number", "") for (row,) in sorted(rows)])


def open_receipts(run: Run) -> list[Chunk]:
    """The whole file, unless it is written."""
    return [] if ImportChunk.objects.filter(job_id=run.job_id).exists() else [WHOLE]


def write_purchases(run: Run, chunk: Chunk) -> dict[str, int]:
    """Write people, receipts, lines, facts and events; inside a tenant scope. Somebody else's new receipt is met by asking again."""
    return write_in_attempts(lambda: _write(run, chunk), lambda: _refuse_changed(run))


def _write(run: Run, chunk: Chunk) -> dict[str, int]:
    run.execute(WHOLE_TABLES)
    parameters = {"organization": run.organization_id, "now": run.now, "currency": run.plan.currency}
    people = _name_people(run, parameters)
    run.execute(_RECEIPTS.format(table=run.table), parameters)
    run.execute("analyze import_receipts")
    run.execute(_PURCHASES, parameters)
    run.execute(
        "update import_receipts as r set id = p.id from crm_purchase as p where p.organization_id = %(organization)s"
        " and p.number = r.number and r.is_new",
        parameters,
    )
    lines = run.execute(_LINES.format(table=run.table), parameters)
    run.execute(_FACTS, parameters)
    ensure_months(
        moment
        for (moment,) in run.fetch("select distinct date_trunc('month', purchased_at, 'UTC') from import_receipts where is_new order by 1")
    )
    run.execute(_EVENTS.format(table=run.table), parameters)
    counts = _counts(run, lines) | people
    ImportChunk.objects.create(job_id=run.job_id, first_row=chunk.first_row, last_row=chunk.last_row, counts=counts, written_at=run.now)
    run.execute("drop table import_people, import_receipts")
    return counts


def _name_people(run: Run, parameters: dict[str, Any]) -> dict[str, int]:
    """Set ``customer_id`` of the lines, creating who is unknown: customer numbers first, then e-mails, then phones."""
    run.execute(_PEOPLE.format(table=run.table), parameters)
    run.execute("analyze import_people")
    created = 0
    for kind, identity in (("external_id", "external"), ("email", "email"), ("phone", "phone")):
        named = parameters | {"kind": kind, "identity": identity}
        run.execute(_MATCH_PEOPLE.format(kind=kind), named)
        run.execute(_MATCH_FORMER.format(kind=kind), named)
        if kind == "external_id":
            run.execute(_ADOPT, named)
        run.execute(_FREE_EMAILS, named)
        run.execute(_FREE_PHONES, named)
        created += run.execute(_CREATE_PEOPLE, named)
        run.execute(_MATCH_PEOPLE.format(kind=kind), named)
    completed = run.execute(_COMPLETE, parameters)
    run.execute(_NAME_LINES.format(table=run.table), parameters)
    return {"customers_created": created, "customers_completed": completed}


def _counts(run: Run, lines: int) -> dict[str, int]:
    row = run.fetch(_COUNTS.format(table=run.table))[0]
    names = ("sales", "refunds", "unchanged", "anonymous_lines", "total_minor")
    return {"lines": lines, **{name: int(value or 0) for name, value in zip(names, row, strict=True)}}


_KEY: Final = "coalesce('external_id:' || external_id, 'email:' || email, 'phone:' || phone)"
_REPEATED: Final = """
select row_no, first from (
    select row_no, min(row_no) over (partition by fingerprint) as first, count(*) over (partition by fingerprint) as times
    from {table} where skipped is null
) as lines where times > 1 and row_no > first order by row_no
"""
_SEVERAL_PEOPLE: Final = f"""
select number from {{table}} where skipped is null group by number having count(distinct {_KEY}) > 1
"""
_OTHER_TOTAL: Final = """
select known.number
from crm_purchase as known
join (select number, sum(amount_minor) as total from {table} where skipped is null group by number) as told
    on told.number = known.number
where known.organization_id = %(organization)s and known.total_minor <> told.total
"""
_PEOPLE: Final = f"""
create temp table import_people on commit drop as
select key, split_part(key, ':', 1) as kind, null::bigint as customer_id, max(external_id) as external_id, max(email) as email,
    max(phone) as phone,
    (array_agg(first_name order by row_no desc) filter (where coalesce(first_name, last_name) is not null))[1] as first_name,
    (array_agg(last_name order by row_no desc) filter (where coalesce(first_name, last_name) is not null))[1] as last_name,
    (array_agg(search_key order by row_no desc) filter (where coalesce(first_name, last_name) is not null))[1] as search_key,
    (array_agg(country order by row_no desc) filter (where country is not null))[1] as country
from (select *, {_KEY} as key from {{table}} where skipped is null) as lines
where key is not null
group by key
"""
_MATCH_PEOPLE: Final = """
update import_people as p set customer_id = c.id from crm_customer as c
where p.kind = %(kind)s and p.customer_id is null and c.organization_id = %(organization)s and c.{kind} = p.{kind} and c.{kind} <> ''
"""
_MATCH_FORMER: Final = """
update import_people as p set customer_id = i.customer_id from crm_identity as i
where p.kind = %(kind)s and p.customer_id is null and i.organization_id = %(organization)s and i.kind = %(identity)s and i.source = ''
    and i.value = p.{kind}
"""
# A customer known by this e-mail without a number gets the number.
_ADOPT: Final = """
with adopted as (
    update crm_customer as c set external_id = p.external_id, updated_at = %(now)s
    from (select distinct on (email) email, external_id from import_people
        where kind = 'external_id' and customer_id is null and email is not null order by email, external_id) as p
    where c.organization_id = %(organization)s and c.email = p.email and c.external_id = ''
    returning c.id, c.external_id
)
update import_people as p set customer_id = a.id from adopted as a where a.external_id = p.external_id and p.kind = 'external_id'
"""
# Of people about to be created the first keeps an address that several name; none gets one that a customer has.
_FREE: Final = """
update import_people as p set {kind} = null
from (
    select key from (
        select key, row_number() over (partition by {kind} order by key) as place
        from import_people where customer_id is null and kind = %(kind)s and {kind} is not null
    ) as ranked where place > 1
    union
    select p.key from import_people as p
    join crm_customer as c on c.organization_id = %(organization)s and c.{kind} = p.{kind} and c.{kind} <> ''
    where p.customer_id is null and p.kind = %(kind)s
) as taken
where taken.key = p.key and %(kind)s <> '{kind}'
"""
_FREE_EMAILS: Final = _FREE.format(kind="email")
_FREE_PHONES: Final = _FREE.format(kind="phone")
_CREATE_PEOPLE: Final = """
with created as (
    insert into crm_customer (
        organization_id, external_id, email, phone, first_name, last_name, search_key, country,
        birthday, gender, language, time_zone, street, city, state, postal_code, created_at, updated_at
    )
    select %(organization)s, coalesce(external_id, ''), coalesce(email, ''), coalesce(phone, ''), coalesce(first_name, ''),
        coalesce(last_name, ''), coalesce(search_key, ''), coalesce(country, ''), null, '', '', '', '', '', '', '', %(now)s, %(now)s
    from import_people where kind = %(kind)s and customer_id is null
    order by key
    returning id
)
insert into crm_customerfacts (organization_id, customer_id) select %(organization)s, id from created
"""
# What the file knows and the customer lacks is filled in; nothing that is known is replaced.
_COMPLETE: Final = """
update crm_customer as c set email = p.email, updated_at = %(now)s
from import_people as p
where c.organization_id = %(organization)s and c.id = p.customer_id and c.email = '' and p.email is not null
    and not exists (select from crm_customer as o where o.organization_id = %(organization)s and o.email = p.email)
    and not exists (select from import_people as o where o.email = p.email and o.key < p.key)
"""
_NAME_LINES: Final = """
update {table} as s set customer_id = p.customer_id from import_people as p
where s.skipped is null and p.key = coalesce('external_id:' || s.external_id, 'email:' || s.email, 'phone:' || s.phone)
"""
_RECEIPTS: Final = """
create temp table import_receipts on commit drop as
select told.*, known.id, known.id is null as is_new
from (
    select number, max(customer_id) as customer_id, max(location_id) as location_id, min(purchased_at) as purchased_at,
        coalesce(max(payment_method), '') as payment_method, sum(amount_minor) as total_minor, min(row_no) as row_no,
        case when sum(amount_minor) < 0 or sum(amount_minor) = 0 and (number ~* '^C[0-9]' or sum(quantity) < 0)
            then 'refund' else 'sale' end as kind
    from {table} where skipped is null group by number
) as told
left join crm_purchase as known on known.organization_id = %(organization)s and known.number = told.number and known.number <> ''
"""
_PURCHASES: Final = """
insert into crm_purchase (
    organization_id, customer_id, location_id, kind, number, purchased_at, currency, total_minor, payment_method, source, created_at
)
select %(organization)s, customer_id, location_id, kind, number, purchased_at, %(currency)s, total_minor, payment_method, 'import', %(now)s
from import_receipts where is_new order by purchased_at, row_no
"""
_LINES: Final = """
insert into crm_purchaseline (
    organization_id, purchase_id, product_code, description, category, quantity, unit_price_minor, amount_minor
)
select %(organization)s, r.id, coalesce(s.product_code, ''), coalesce(s.description, ''), coalesce(s.category, ''),
    s.quantity, s.unit_price_minor, s.amount_minor
from {table} as s join import_receipts as r on r.number = s.number and r.is_new
where s.skipped is null order by s.row_no
"""
_FACTS: Final = """
update crm_customerfacts as f set
    purchase_count = f.purchase_count + new.sales,
    refund_count = f.refund_count + new.refunds,
    spent_minor = f.spent_minor + new.total,
    first_purchase_at = least(f.first_purchase_at, new.first_at),
    last_purchase_at = greatest(f.last_purchase_at, new.last_at)
from (
    select customer_id, count(*) filter (where kind = 'sale') as sales, count(*) filter (where kind = 'refund') as refunds,
        sum(total_minor) as total, min(purchased_at) filter (where kind = 'sale') as first_at,
        max(purchased_at) filter (where kind = 'sale') as last_at
    from import_receipts where is_new and customer_id is not null group by customer_id
) as new
where f.organization_id = %(organization)s and f.customer_id = new.customer_id
"""
_EVENTS: Final = """
insert into crm_event (organization_id, customer_id, kind, occurred_at, source, properties)
select %(organization)s, r.customer_id, case r.kind when 'sale' then 'purchase.completed' else 'purchase.refunded' end, r.purchased_at, 'import',
    jsonb_build_object(
        'purchase', r.id, 'total_minor', r.total_minor, 'currency', %(currency)s::text, 'payment_method', r.payment_method,
        'categories', coalesce(l.categories, '[]'), 'location', r.location_id
    )
from import_receipts as r
left join (
    select number, jsonb_agg(distinct category order by category) as categories
    from {table} where skipped is null and category is not null group by number
) as l on l.number = r.number
where r.is_new order by r.purchased_at, r.row_no
"""
_COUNTS: Final = """
select count(*) filter (where is_new and kind = 'sale'), count(*) filter (where is_new and kind = 'refund'), count(*) filter (where not is_new),
    (select count(*) from {table} where skipped is null and customer_id is null), (select sum(amount_minor) from {table} where skipped is null)
from import_receipts
"""
