"""The liability report: a program's points month by month, from the postings alone."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import connection

from accounts.queries import current_organization
from accounts.tenancy import current_organization_id
from loyalty.rules.liability import PeriodAccount


def liability_by_month(*, program_id: int, until: datetime, location_ids: Collection[int] | None = None) -> list[PeriodAccount]:
    """One account per month (of the organization's time zone) in which something was recorded up to ``until``, oldest first.

    Months are those of recording, so that a month that was closed stays as it was: what comes late counts where it was written.

    Args:
        location_ids: those whose sales may be seen in what is deferred of them; all of them for ``None``. Points are of no location.
    """
    zone = current_organization().time_zone
    rows = _fetch(_MONTHS, {"organization": current_organization_id(), "program": program_id, "until": until, "zone": zone})
    deferred = deferred_by_month(program_id=program_id, until=until, location_ids=location_ids)
    accounts: list[PeriodAccount] = []
    for starts_on, issued, redeemed, expired, taken in rows:
        opening = accounts[-1].closing if accounts else 0
        accounts.append(PeriodAccount(starts_on, opening, int(issued), int(redeemed), int(expired), int(taken), deferred.get(starts_on, 0)))
    return accounts


def deferred_by_month(*, program_id: int, until: datetime, location_ids: Collection[int] | None = None) -> dict[Any, int]:
    """Minor units of each month's sales that belong to the points that came with them, less what refunds took back in it.

    Each sale is divided as ``rules.liability.split_sale`` does. Of its points' part as much is left as of its points, in
    whole minor units: the parts of all refunds together are exactly that of one.
    """
    about = {"organization": current_organization_id(), "program": program_id, "until": until, "zone": current_organization().time_zone}
    rows = _fetch(_DEFERRED, about | {"locations": None if location_ids is None else list(location_ids)})
    return {month: int(minor) for month, minor in rows}


def outstanding_points(program_id: int) -> int:
    """Points members have or will have, less their debts: what the last account closes with."""
    rows = _fetch(
        "select coalesce(sum(w.balance + w.held + w.pending - w.debt), 0) from loyalty_wallet as w"
        " join loyalty_member as m on m.organization_id = w.organization_id and m.id = w.member_id"
        " where w.organization_id = %(organization)s and m.program_id = %(program)s",
        {"organization": current_organization_id(), "program": program_id},
    )
    return int(rows[0][0])


def _fetch(statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


_MONTHS: Final = """
select date_trunc('month', e.recorded_at at time zone %(zone)s)::date,
    -coalesce(sum(p.amount) filter (where p.account = 'issued'), 0),
    coalesce(sum(p.amount) filter (where p.account = 'redeemed'), 0),
    coalesce(sum(p.amount) filter (where p.account = 'expired'), 0),
    coalesce(sum(p.amount) filter (where p.account = 'reversed'), 0)
from loyalty_entry as e
join loyalty_posting as p on p.organization_id = e.organization_id and p.entry_id = e.id
where e.organization_id = %(organization)s and e.program_id = %(program)s and e.recorded_at <= %(until)s
group by 1 order by 1
"""
# numeric ``div`` is exact: half a unit is added before what is less than one is cut off.
_DEFERRED: Final = """
with terms as materialized (
    select id, (document #>> '{redemption,points}')::numeric * 100 as parts,
        (document #>> '{redemption,minor}')::numeric * (document ->> 'redeemed_share')::numeric as point
    from loyalty_terms
    where organization_id = %(organization)s and program_id = %(program)s and document -> 'redemption' is not null
),
priced as (
    select e.id, e.recorded_at, e.amount::numeric as points, s.total_minor::numeric as sale, e.amount * t.point as price, t.parts
    from loyalty_entry as e
    join crm_purchase as s on s.organization_id = e.organization_id and s.id = e.purchase_id
    join terms as t on t.id = e.terms_id
    where e.organization_id = %(organization)s and e.program_id = %(program)s and e.kind = 'earn' and e.recorded_at <= %(until)s
        and s.total_minor > 0 and (%(locations)s::bigint[] is null or s.location_id = any(%(locations)s::bigint[]))
),
earned as (
    select id, recorded_at, points, div(2 * sale * price + sale * parts + price, 2 * (sale * parts + price)) as minor from priced
),
taken as (
    select t.recorded_at, earned.points, earned.minor, t.change,
        earned.points - sum(t.change) over (partition by t.origin_id order by t.id) as points_left
    from (
        select id, origin_id, recorded_at, case kind when 'restore' then -amount else amount end as change from loyalty_entry
        where organization_id = %(organization)s and kind in ('clawback', 'restore', 'cancel') and origin_id is not null
            and recorded_at <= %(until)s
    ) as t
    join earned on earned.id = t.origin_id
),
changes as (
    select recorded_at, minor from earned
    union all
    select recorded_at, div(2 * minor * points_left + points, 2 * points)
        - div(2 * minor * (points_left + change) + points, 2 * points) from taken
)
select date_trunc('month', recorded_at at time zone %(zone)s)::date, sum(minor) from changes group by 1
"""
