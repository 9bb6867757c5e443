"""The liability report: a program's points month by month, from the postings alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.queries import current_organization
from accounts.tenancy import current_organization_id
from loyalty.models import ClosedMonth
from loyalty.rules.liability import PeriodAccount
from loyalty.rules.rewards import period_of
from loyalty.rules.terms import CapPer


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """What was recorded in a month of a program, and the part of its sales that belongs to their points (minor units)."""

    starts_on: date
    issued: int
    redeemed: int
    expired: int
    reversed: int
    deferred_minor: int


def liability_by_month(*, program_id: int, until: datetime, location_ids: Collection[int] | None = None) -> list[PeriodAccount]:
    """One account per month (of the organization's time zone) in which something was recorded up to ``until``, oldest first.

    Months are those of recording, so that a month that was closed stays as it was: what comes late counts where it was
    written. Closed months are read, those after them are added up.

    Args:
        location_ids: those whose sales may be seen in what is deferred of them; all of them for ``None``. Points are of no
            location. Months are closed for all locations together, so all of them are added up for some.
    """
    zone = current_organization().time_zone
    closed = closed_months(program_id=program_id, zone=zone, until=until) if location_ids is None else []
    since = end_of_closed(closed, zone)
    recorded = recorded_months(program_id=program_id, zone=zone, since=since, until=until, location_ids=location_ids)
    accounts: list[PeriodAccount] = []
    for month in [*closed, *recorded]:
        accounts.append(PeriodAccount(opening=accounts[-1].closing if accounts else 0, **asdict(month)))
    return accounts


def closed_months(*, program_id: int, zone: str, until: datetime) -> list[MonthFigures]:
    """The closed months that were over by ``until``, oldest first."""
    months = ClosedMonth.objects.filter(program_id=program_id, time_zone=zone).order_by("starts_on")
    figures = [MonthFigures(*row) for row in months.values_list(*(field.name for field in fields(MonthFigures)))]
    return [month for month in figures if end_of_month(month.starts_on, zone) <= until]


def end_of_closed(closed: Sequence[MonthFigures], zone: str) -> datetime | None:
    """The moment up to which months are closed."""
    return end_of_month(closed[-1].starts_on, zone) if closed else None


def recorded_months(
    *, program_id: int, zone: str, since: datetime | None, until: datetime, location_ids: Collection[int] | None = None
) -> list[MonthFigures]:
    """Months with what was recorded in them from ``since`` up to and with ``until``, added up from the postings, oldest first.

    Each sale is divided as ``rules.liability.split_sale`` does. Of its points' part as much is left as of its points, in
    whole minor units: the parts of all refunds together are exactly that of one.
    """
    locations = None if location_ids is None else list(location_ids)
    about = {"organization": current_organization_id(), "program": program_id, "zone": zone, "since": since, "until": until}
    deferred = dict(_fetch(_DEFERRED, about | {"locations": locations}))
    return [
        MonthFigures(month, int(issued), int(redeemed), int(expired), int(taken), int(deferred.get(month, 0)))
        for month, issued, redeemed, expired, taken in _fetch(_MONTHS, about)
    ]


def end_of_month(starts_on: date, zone: str) -> datetime:
    """The moment in which the next month begins."""
    there = ZoneInfo(zone)
    return period_of(CapPer.MONTH, datetime.combine(starts_on, time(), there), there)[1]


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
where e.organization_id = %(organization)s and e.program_id = %(program)s
    and e.recorded_at between coalesce(%(since)s::timestamptz, '-infinity') and %(until)s
group by 1 order by 1
"""
# Sales of these months, and older ones of which something was taken back in them. numeric ``div`` is exact: half a unit is
# added before what is less than one is cut off.
_DEFERRED: Final = """
with span as materialized (
    select coalesce(%(since)s::timestamptz, '-infinity') as since, %(until)s::timestamptz as until
),
answered as materialized (
    select distinct origin_id from loyalty_entry
    where organization_id = %(organization)s and program_id = %(program)s and kind in ('clawback', 'restore', 'cancel')
        and origin_id is not null and recorded_at between (select since from span) and (select until from span)
),
terms as materialized (
    select id, (document #>> '{redemption,points}')::numeric * 100 as parts,
        (document #>> '{redemption,minor}')::numeric * (document ->> 'redeemed_share')::numeric as point
    from loyalty_terms
    where organization_id = %(organization)s and program_id = %(program)s and document -> 'redemption' is not null
),
earnings as (
    select id, recorded_at, amount, purchase_id, terms_id from loyalty_entry
    where organization_id = %(organization)s and program_id = %(program)s and kind = 'earn'
        and recorded_at between (select since from span) and (select until from span)
    union all
    select id, recorded_at, amount, purchase_id, terms_id from loyalty_entry
    where organization_id = %(organization)s and program_id = %(program)s and kind = 'earn'
        and recorded_at < (select since from span) and id in (select origin_id from answered)
),
priced as (
    select e.id, e.recorded_at, e.amount::numeric as points, s.total_minor::numeric as sale, e.amount * t.point as price, t.parts
    from earnings as e
    join crm_purchase as s on s.organization_id = %(organization)s and s.id = e.purchase_id
    join terms as t on t.id = e.terms_id
    where s.total_minor > 0 and (%(locations)s::bigint[] is null or s.location_id = any(%(locations)s::bigint[]))
),
earned as (
    select id, recorded_at, points, div(2 * sale * price + sale * parts + price, 2 * (sale * parts + price)) as minor from priced
),
taken as (
    select t.recorded_at, earned.points, earned.minor, t.change,
        earned.points - sum(t.change) over (partition by t.origin_id order by t.id) as points_left
    from (
        select id, origin_id, recorded_at, case kind when 'restore' then -amount else amount end as change from loyalty_entry
        where organization_id = %(organization)s and kind in ('clawback', 'restore', 'cancel')
            and origin_id in (select origin_id from answered) and recorded_at <= %(until)s
    ) as t
    join earned on earned.id = t.origin_id
),
changes as (
    select recorded_at, minor from earned
    union all
    select recorded_at, div(2 * minor * points_left + points, 2 * points)
        - div(2 * minor * (points_left + change) + points, 2 * points) from taken
)
select date_trunc('month', recorded_at at time zone %(zone)s)::date, sum(minor) from changes
where recorded_at >= (select since from span) group by 1
"""
