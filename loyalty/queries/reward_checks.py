"""What has to hold between rewards, vouchers and the ledger; ``verify_ledger`` asks for what does not."""

from dataclasses import dataclass
from typing import Final

from django.db import connection

from accounts.tenancy import current_organization_id


@dataclass(frozen=True, slots=True)
class BrokenPromise:
    """A check of ``CHECKS`` that failed, and the ids of what it failed for."""

    check: str
    ids: tuple[int, ...]


def broken_promises(*, limit: int = 1_000) -> list[BrokenPromise]:
    """Every check that fails in the current organization, each with up to ``limit`` ids."""
    found = []
    with connection.cursor() as cursor:
        for check, statement in CHECKS.items():
            cursor.execute(f"{statement} order by 1 limit %(limit)s", {"organization": current_organization_id(), "limit": limit})
            if ids := tuple(row[0] for row in cursor.fetchall()):
                found.append(BrokenPromise(check, ids))
    return found


CHECKS: Final[dict[str, str]] = {
    "sold is what was not cancelled, and no more than the stock": """
        select r.id from loyalty_reward as r where r.organization_id = %(organization)s and (r.sold > r.stock or r.sold <> (
            select count(*) from loyalty_voucher as v
            where v.organization_id = r.organization_id and v.reward_id = r.id and v.state <> 'cancelled'))""",
    "a voucher that was bought has an entry that redeemed its points, and none of them came back": """
        select v.id from loyalty_voucher as v
        left join loyalty_entry as e on e.organization_id = v.organization_id and e.id = v.entry_id
            and e.kind in ('redeem', 'capture') and e.member_id = v.member_id and e.amount = v.points
        where v.organization_id = %(organization)s and v.points > 0 and v.state in ('issued', 'used', 'expired')
            and (e.id is null or exists (select from loyalty_entry as u
                where u.organization_id = e.organization_id and u.origin_id = e.id and u.kind = 'undo'))""",
    "the points of a cancelled voucher that was bought came back in full": """
        select v.id from loyalty_voucher as v
        where v.organization_id = %(organization)s and v.state = 'cancelled' and v.entry_id is not null and v.points <> (
            select coalesce(sum(u.amount), 0) from loyalty_entry as u
            where u.organization_id = v.organization_id and u.origin_id = v.entry_id and u.kind = 'undo')""",
    "a reserved voucher has an open hold of its points": """
        select v.id from loyalty_voucher as v
        left join loyalty_hold as h on h.organization_id = v.organization_id and h.id = v.hold_id
            and h.state = 'open' and h.member_id = v.member_id and h.amount = v.points
        where v.organization_id = %(organization)s and v.state = 'reserved' and h.id is null""",
    "a voucher that cost nothing has neither entry nor hold": """
        select v.id from loyalty_voucher as v
        where v.organization_id = %(organization)s and v.points = 0 and (v.entry_id is not null or v.hold_id is not null)""",
    "an entry that bought a reward has its voucher": """
        select e.id from loyalty_entry as e where e.organization_id = %(organization)s and e.kind = 'redeem' and e.details ? 'reward'
            and not exists (select from loyalty_voucher as v where v.organization_id = e.organization_id and v.entry_id = e.id
                and v.reward_id = (e.details ->> 'reward')::bigint)""",
    "a stamp card counts the stamps of its sources": """
        select c.id from loyalty_membercard as c where c.organization_id = %(organization)s and c.stamps <> (
            select coalesce(sum(s.count), 0) from loyalty_stamp as s
            where s.organization_id = c.organization_id and s.member_card_id = c.id)""",
    "a full card gave a voucher that cost nothing and was not taken back": """
        select f.id from loyalty_filledcard as f
        join loyalty_voucher as v on v.organization_id = f.organization_id and v.id = f.voucher_id
        where f.organization_id = %(organization)s and (v.state = 'cancelled' or v.points > 0)""",
    "a referral that counts brought both sides what their entries say, any other nothing": """
        select r.id from loyalty_referral as r
        left join loyalty_entry as ours on ours.organization_id = r.organization_id and ours.id = r.referrer_entry_id and ours.kind = 'earn'
        left join loyalty_entry as theirs on theirs.organization_id = r.organization_id and theirs.id = r.referee_entry_id
            and theirs.kind = 'earn'
        where r.organization_id = %(organization)s and (
            r.referrer_points <> coalesce(ours.amount, 0) or r.referee_points <> coalesce(theirs.amount, 0)
            or (r.state in ('qualified', 'rewarded')) <> (r.purchase_id is not null))""",
}
