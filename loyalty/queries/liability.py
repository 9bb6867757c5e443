"""The liability report: a program's points month by month, from the postings alone."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.queries import current_organization
from accounts.tenancy import current_organization_id
from loyalty.rules.liability import PeriodAccount, Split, Worth, split_sale


def liability_by_month(*, program_id: int, until: datetime) -> list[PeriodAccount]:
    """One account per month (of the organization's time zone) in which something was recorded up to ``until``, oldest first.

    Months are those of recording, so that a month that was closed stays as it was: what comes late counts where it was written.
    """
    zone = current_organization().time_zone
    rows = _fetch(_MONTHS, {"organization": current_organization_id(), "program": program_id, "until": until, "zone": zone})
    deferred = deferred_by_month(program_id=program_id, until=until)
    accounts: list[PeriodAccount] = []
    for starts_on, issued, redeemed, expired, taken in rows:
        opening = accounts[-1].closing if accounts else 0
        accounts.append(PeriodAccount(starts_on, opening, int(issued), int(redeemed), int(expired), int(taken), deferred.get(starts_on, 0)))
    return accounts


def deferred_by_month(*, program_id: int, until: datetime) -> dict[Any, int]:
    """Minor units of each month's sales that belong to the points that came with them."""
    zone = ZoneInfo(current_organization().time_zone)
    found: dict[Any, int] = {}
    rows = _fetch(_SALES, {"organization": current_organization_id(), "program": program_id, "until": until})
    for recorded_at, points, sale_minor, per_points, minor, share in rows:
        worth = Worth(Fraction(int(minor), int(per_points)), Fraction(int(share), 100))
        split: Split = split_sale(sale_minor=int(sale_minor), points=int(points), worth=worth)
        month = recorded_at.astimezone(zone).date().replace(day=1)
        found[month] = found.get(month, 0) + split.points_minor
    return found


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
_SALES: Final = """
select e.recorded_at, e.amount, s.total_minor, t.document #>> '{redemption,points}', t.document #>> '{redemption,minor}',
    t.document ->> 'redeemed_share'
from loyalty_entry as e
join crm_purchase as s on s.organization_id = e.organization_id and s.id = e.purchase_id
join loyalty_terms as t on t.organization_id = e.organization_id and t.id = e.terms_id
where e.organization_id = %(organization)s and e.program_id = %(program)s and e.kind = 'earn' and e.recorded_at <= %(until)s
    and s.total_minor > 0 and t.document -> 'redemption' is not null
"""
