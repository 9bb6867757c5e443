# ruff: noqa: S608 - the names put into statements are those of our own tables and columns
"""The ledger's SQL."""

from functools import cache
from typing import Final

from crm.events import APPEND_EVENT

# The lock, who the wallet is, the entry that has the key already, and the id of the entry that may follow. Whoever waited for the
# lock gets the wallet as it is now beside all else as it was before: then the two sequences differ, and the statement is repeated.
_OPEN: Final = """
select m.program_id, m.customer_id, w.balance, w.held, w.pending, w.debt, w.sequence, w.head, w.next_due_at, w.updated_at,
    nextval('loyalty_entry_id_seq'), e.id, e.body_hash, w.sequence = (
        select seen.sequence from loyalty_wallet as seen where seen.organization_id = %(organization)s and seen.member_id = %(member)s
    ){lots}
from loyalty_wallet as w join loyalty_member as m on m.organization_id = w.organization_id and m.id = w.member_id
left join loyalty_entry as e on e.organization_id = m.organization_id and e.program_id = m.program_id and e.key = %(key)s
{joined} where w.organization_id = %(organization)s and w.member_id = %(member)s for no key update of w
"""
# The lot that is spent first; where it is enough, nobody has to ask for more.
_FIRST_LOT: Final = """left join lateral (
    select r.lot_id, r.earned_at, r.expires_at, r.available, r.pending from loyalty_lotremainder as r
    where r.organization_id = %(organization)s and r.member_id = %(member)s and r.is_open and r.available > 0
    order by r.expires_at, r.earned_at, r.lot_id limit 1
) as lot on true"""
OPEN: Final = _OPEN.format(lots="", joined="")
OPEN_TO_SPEND: Final = _OPEN.format(lots=", lot.lot_id, lot.earned_at, lot.expires_at, lot.available, lot.pending", joined=_FIRST_LOT)
NEXT_ID: Final = "select nextval('loyalty_entry_id_seq')"
SET_DUE: Final = """
update loyalty_wallet set next_due_at = %(at)s where organization_id = %(organization)s and member_id = %(member)s
"""
_LOT: Final = "r.lot_id, r.earned_at, r.expires_at, r.available, r.pending"
# The running sum says how many lots are enough; the index gives them in the order they are spent.
SPENDABLE: Final = f"""
select lot_id, earned_at, expires_at, available, pending from (
    select {_LOT}, sum(r.available) over (order by r.expires_at, r.earned_at, r.lot_id) - r.available as before
    from loyalty_lotremainder as r where r.organization_id = %(organization)s and r.member_id = %(member)s and r.is_open and r.available > 0
) as lots where before < %(amount)s order by expires_at, earned_at, lot_id
"""
STATES: Final = f"""
select {_LOT}, coalesce((select sum(p.amount) from loyalty_posting as p
    where p.organization_id = r.organization_id and p.lot_id = r.lot_id and p.account = 'expired'), 0)::bigint
from loyalty_lotremainder as r where r.organization_id = %(organization)s and r.lot_id = any(%(lots)s)
"""
MATURING: Final = f"""
select {_LOT} from loyalty_lotremainder as r where r.organization_id = %(organization)s and r.member_id = %(member)s
and r.matures_at = %(at)s and r.is_open and r.pending > 0 order by r.earned_at, r.lot_id
"""
EXPIRING: Final = f"""
select {_LOT} from loyalty_lotremainder as r where r.organization_id = %(organization)s and r.member_id = %(member)s
and r.expires_at = %(at)s and r.is_open and r.available > 0 order by r.earned_at, r.lot_id
"""
FIRST_DUE: Final = """
select due_at, rank, hold from (
    (select lapses_at as due_at, 0 as rank, id as hold from loyalty_hold
    where organization_id = %(organization)s and member_id = %(member)s and state = 'open' order by lapses_at, id limit 1)
    union all select min(matures_at), 1, null from loyalty_lotremainder
    where organization_id = %(organization)s and member_id = %(member)s and is_open and pending > 0
    union all select min(expires_at), 2, null from loyalty_lotremainder
    where organization_id = %(organization)s and member_id = %(member)s and is_open and available > 0
) as due where due_at is not null order by due_at, rank limit 1
"""
HOLD: Final = """
select amount, state = 'open' from loyalty_hold where organization_id = %(organization)s and member_id = %(member)s and id = %(hold)s
"""
HELD: Final = """
select lot_id, amount from loyalty_posting
where organization_id = %(organization)s and entry_id = %(hold)s and account = 'held' order by id
"""
# Whatever left the member's side of a lot by the redemption and has not come back by its undoings.
CONSUMED: Final = """
select p.lot_id, -sum(p.amount) from loyalty_posting as p
join loyalty_entry as e on e.organization_id = p.organization_id and e.id = p.entry_id
where e.organization_id = %(organization)s and (e.id = %(entry)s or e.origin_id = %(entry)s and e.kind = 'undo') and p.lot_id is not null
group by p.lot_id having sum(p.amount) < 0 order by min(p.id)
"""
# What of a member's lots repaid debt, and what of that was given back.
REPAID: Final = """
select p.lot_id, p.amount from loyalty_entry as e join loyalty_posting as p on p.organization_id = e.organization_id and p.entry_id = e.id
where e.organization_id = %(organization)s and e.member_id = %(member)s and p.account = 'debt' and p.lot_id is not null order by p.id
"""
# Lots that are empty as well: what was taken from them may come back.
PROLONG: Final = """
update loyalty_lotremainder as r set expires_at = given.expires_at
from loyalty_entry as e join unnest(%(terms)s::bigint[], %(dates)s::timestamptz[]) as given (terms, expires_at) on given.terms = e.terms_id
where e.organization_id = %(organization)s and e.member_id = %(member)s and r.organization_id = e.organization_id and r.lot_id = e.id
and r.earned_at <= %(at)s and r.expires_at > %(now)s and r.expires_at < given.expires_at
"""
# Nothing at all is written when the entry's key is taken.
_ENTRY: Final = """
with entry as (
    insert into loyalty_entry (
        organization_id, id, program_id, member_id, sequence, kind, amount, occurred_at, recorded_at, key, body_hash, terms_id,
        purchase_id, hold_id, origin_id, reason, details, actor_kind, actor_id, actor_label, previous, hash
    ) values (
        %(organization)s, %(id)s, %(program)s, %(member)s, %(sequence)s, %(kind)s, %(amount)s, %(occurred_at)s, %(recorded_at)s, %(key)s,
        %(body_hash)s, %(terms)s, %(purchase)s, %(hold)s, %(origin)s, %(reason)s, %(details)s, %(actor_kind)s, %(actor_id)s,
        %(actor_label)s, %(previous)s, %(hash)s
    ) on conflict (organization_id, program_id, key) where key is not null do nothing returning id
), postings as (
    insert into loyalty_posting (organization_id, entry_id, account, lot_id, amount)
    select %(organization)s, entry.id, account, lot, amount
    from entry, unnest(%(accounts)s::text[], %(lots)s::bigint[], %(amounts)s::bigint[]) as leg (account, lot, amount)
)"""
# The lots are named twice: without statistics the join alone would read all there are.
_REMAINDERS: Final = """, remainders as (
    update loyalty_lotremainder as r set available = r.available + change.available, pending = r.pending + change.coming
    from entry, unnest(%(touched)s::bigint[], %(available)s::bigint[], %(coming)s::bigint[]) as change (lot, available, coming)
    where r.organization_id = %(organization)s and r.lot_id = change.lot and r.lot_id = any(%(touched)s::bigint[])
)"""
_NEW_LOT: Final = """, lot as (
    insert into loyalty_lot (organization_id, entry_id, member_id, amount, earned_at, matures_at, expires_at, moved_from_id)
    select %(organization)s, id, %(member)s, %(lot_amount)s, %(earned_at)s, %(matures_at)s::timestamptz, %(expires_at)s::timestamptz,
        %(moved_from)s::bigint from entry
), remainder as (
    insert into loyalty_lotremainder (organization_id, lot_id, member_id, available, pending, earned_at, matures_at, expires_at)
    select %(organization)s, id, %(member)s, %(lot_available)s, %(lot_pending)s, %(earned_at)s, %(matures_at)s::timestamptz,
        %(expires_at)s::timestamptz from entry
)"""
_NEW_HOLD: Final = """, hold as (
    insert into loyalty_hold (organization_id, id, member_id, amount, captured, state, placed_at, lapses_at)
    select %(organization)s, id, %(member)s, %(amount)s, 0, 'open', %(occurred_at)s, %(lapses_at)s from entry
)"""
_RESOLVED: Final = """, resolved as (
    update loyalty_hold as h set state = %(state)s, captured = %(captured)s, resolved_at = %(occurred_at)s
    from entry where h.organization_id = %(organization)s and h.id = %(hold)s
)"""
_EVENT: Final = f""", event as ({APPEND_EVENT} from entry)"""
_WALLET: Final = """
update loyalty_wallet set balance = %(balance)s, held = %(held)s, pending = %(pending)s, debt = %(debt)s, sequence = %(sequence)s,
    head = %(hash)s, next_due_at = %(next_due_at)s, updated_at = %(recorded_at)s
from entry where organization_id = %(organization)s and member_id = %(member)s
"""


@cache
def post_statement(*, touches_lots: bool, lot: bool, hold: bool, resolves: bool, event: bool) -> str:
    """One statement that writes an entry and all that comes with it."""
    parts = ((_REMAINDERS, touches_lots), (_NEW_LOT, lot), (_NEW_HOLD, hold), (_RESOLVED, resolves), (_EVENT, event))
    return _ENTRY + "".join(part for part, is_there in parts if is_there) + _WALLET
