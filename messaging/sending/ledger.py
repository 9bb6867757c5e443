"""The ledger's statements: claim a chunk, find out what a lost worker left, read, read again, write back, finish.

Each opens its own short transaction in the organization's scope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Any, NamedTuple

from django.db import connection

from accounts.tenancy import tenant
from messaging.channels.base import LeaseLostError
from messaging.sending.mark_log import GIVE_UP_SECONDS

RETRY_CHUNK_SIZE = 1_000

# The deliveries whose fate is open: of a chunk that is a range or a list of retries, and of those named, of whatever chunk.
# A retry that was put off once more has a time again, and is not this chunk's any longer.
#
# A plan writes a million rows in a second, long before their statistics are gathered, and a planner that takes the
# table for nearly empty reads all of it for every chunk. So the statements here name rows by a range of the primary
# key alone (`+ 0` keeps the other conditions off the indexes), and join the big tables with nothing.
_OPEN_IN_RANGE = """delivery.organization_id = %(org)s and delivery.dispatch_id + 0 = %(dispatch)s
    and delivery.id between %(first)s and %(last)s and delivery.state = 'planned'"""
_OPEN_IN_LIST = """delivery.organization_id = %(org)s and delivery.id between %(first)s and %(last)s
    and delivery.id + 0 = any(%(retries)s)
    and delivery.state = 'retrying' and delivery.next_attempt_at is null"""
_OPEN_AND_NAMED = """delivery.organization_id = %(org)s and delivery.id between %(first)s and %(last)s
    and delivery.id + 0 = any(%(ids)s::bigint[])
    and (delivery.state = 'planned' or delivery.state = 'retrying' and delivery.next_attempt_at is null)"""

# A lease that ran out while PostgreSQL was away says nothing about its holder, who is given time to come back; unless
# that is so long ago that the holder has given up (`mark_log`).
_CLAIM = """
update messaging_chunk as chunk
set lease = %(lease)s, leased_until = now() + make_interval(secs => %(seconds)s)
where chunk.organization_id = %(org)s and chunk.id = (
    select open.id from messaging_chunk as open
    join messaging_dispatch as dispatch on dispatch.organization_id = open.organization_id and dispatch.id = open.dispatch_id
    where open.organization_id = %(org)s and open.dispatch_id = %(dispatch)s and open.finished_at is null
        and (open.leased_until is null or open.leased_until < now() and (
             pg_postmaster_start_time() + make_interval(secs => %(seconds)s) < now()
             or pg_postmaster_start_time() - make_interval(secs => %(patience)s) > open.leased_until))
        and (dispatch.state = 'running' or %(whatever_state)s)
    order by open.id limit 1 for update of open skip locked)
returning chunk.id, chunk.first_id, chunk.last_id, chunk.retry_ids, chunk.sending_through, chunk.in_flight, chunk.held_back
"""

# What a lost worker left: see Chunk. Its permitted messages are uncertain, the finished ones sent.
_SETTLE = """
with settled as (
    update messaging_delivery as delivery
    set state = case when delivery.id = any(%(in_flight)s) then 'ambiguous' else 'sent' end,
        reason = case when delivery.id = any(%(in_flight)s) then 'worker_lost' else '' end,
        attempts = delivery.attempts + 1, sent_at = now(), next_attempt_at = null
    where {open} and delivery.id <= %(through)s and not delivery.id = any(%(held_back)s)
    returning delivery.state
), tally as (
    select count(*) filter (where state = 'sent') as sent, count(*) filter (where state = 'ambiguous') as ambiguous from settled
), counted as (
    update messaging_dispatch as dispatch
    set sent_count = dispatch.sent_count + tally.sent, ambiguous_count = dispatch.ambiguous_count + tally.ambiguous
    from tally where dispatch.organization_id = %(org)s and dispatch.id = %(dispatch)s and tally.sent + tally.ambiguous > 0
)
update messaging_chunk set in_flight = '{{}}' where organization_id = %(org)s and id = %(chunk)s
"""

# What is still to be sent, to the address of now, with the reason against those who withdrew or gave up their address, or whose
# address was suppressed, since the plan was made. They are asked for by the keys of these rows alone: a join would read all of
# a table that has no statistics yet.
_READ = """
with open as materialized (
    select delivery.id, delivery.customer_id, delivery.address as planned, delivery.attempts
    from messaging_delivery as delivery where {open}
), message as (
    select channel, purpose from messaging_dispatch where organization_id = %(org)s and id = %(dispatch)s
), customer as materialized (
    select id, case (select channel from message) when 'email' then email else phone end as address
    from crm_customer where organization_id = %(org)s and id = any(array(select customer_id from open))
), meant as materialized (
    select open.*, coalesce(customer.address, open.planned) as address from open left join customer on customer.id = open.customer_id
), barred as materialized (
    select customer_id, state from crm_consent
    where organization_id = %(org)s and customer_id = any(array(select customer_id from open))
        and channel = (select channel from message) and purpose = (select purpose from message)
        and (state = 'withdrawn' or state <> 'granted' and purpose <> 'transactional')
), suppressed as (
    select address from messaging_suppression
    where organization_id = %(org)s and address = any(array(select lower(address) from meant))
        and channel = (select channel from message)
)
select id, customer_id, address, attempts, case
    when customer_id in (select customer_id from barred where state = 'withdrawn') then 'withdrawn'
    when customer_id in (select customer_id from barred) then 'no_consent'
    when lower(address) in (select address from suppressed) then 'suppressed'
    when address = '' then 'no_address'
    else '' end, address <> planned
from meant order by id
"""

_SETTLE_RANGE, _SETTLE_LIST = (_SETTLE.format(open=each) for each in (_OPEN_IN_RANGE, _OPEN_IN_LIST))
_READ_RANGE, _READ_LIST, _READ_NAMED = (_READ.format(open=each) for each in (_OPEN_IN_RANGE, _OPEN_IN_LIST, _OPEN_AND_NAMED))

# Marks go on meanwhile; nobody takes the chunks over before this transaction ends.
_HOLD = """
select from messaging_chunk where organization_id = %(org)s and id = any(%(chunks)s) and lease = %(lease)s for key share
"""

_READDRESS = """
update messaging_delivery as delivery set address = given.address
from unnest(%(ids)s::bigint[], %(addresses)s::text[]) as given (id, address)
where delivery.organization_id = %(org)s and delivery.id = given.id
"""

_SENT = """
with sent as (
    update messaging_delivery as delivery
    set state = 'sent', sent_at = to_timestamp(%(at)s), attempts = delivery.attempts + 1, reason = '', detail = '',
        next_attempt_at = null
    where {open}
    returning 1
)
update messaging_dispatch set sent_count = sent_count + (select count(*) from sent)
where organization_id = %(org)s and id = %(dispatch)s
"""
_WRITE_SENT = _SENT.format(open=_OPEN_AND_NAMED)

# A chunk is finished once, and with it what its customers got is counted once: in a range by the first attempt, in a
# list of retries by a later one (a retry may end before the range it came from does).
_FINISH = """
with finished as (
    update messaging_chunk
    set finished_at = now(), done_through = last_id, sending_through = last_id, in_flight = '{}', held_back = '{}',
        lease = null, leased_until = null
    where organization_id = %(org)s and id = any(%(chunks)s) and lease = %(lease)s
    returning dispatch_id, first_id, last_id, retry_ids
), got as (
    select delivery.customer_id, delivery.sent_at from finished cross join lateral (
        select customer_id, sent_at, state from messaging_delivery
        where organization_id = %(org)s and dispatch_id + 0 = finished.dispatch_id
            and id between finished.first_id and finished.last_id
            and (finished.retry_ids is null and attempts = 1 or id = any(finished.retry_ids) and attempts > 1)
    ) as delivery
    where delivery.state in ('sent', 'delivered', 'ambiguous') and delivery.sent_at is not null
)
update crm_customerfacts as facts
set message_count = facts.message_count + 1,
    last_message_at = greatest(facts.last_message_at, (select max(sent_at) from got))
where facts.organization_id = %(org)s and facts.customer_id = any(array(select customer_id from got))
"""

# A row that is locked is being marked this moment, which extends its lease too.
_EXTEND = """
update messaging_chunk set leased_until = now() + make_interval(secs => %(seconds)s)
where organization_id = %(org)s and id in (
    select id from messaging_chunk
    where organization_id = %(org)s and dispatch_id = %(dispatch)s and finished_at is null and lease = %(lease)s
    for update skip locked)
"""

_RELEASE = """
update messaging_chunk set lease = null, leased_until = null
where organization_id = %(org)s and dispatch_id = %(dispatch)s and finished_at is null and lease = %(lease)s
"""

# One that was put off again by a list that is still open waits for its end: with its time taken away it would be open in both.
_GATHER_RETRIES = """
with due as (
    update messaging_delivery as delivery set next_attempt_at = null
    where delivery.organization_id = %(org)s and delivery.id = any(array(
        select id from messaging_delivery
        where organization_id = %(org)s and dispatch_id = %(dispatch)s and state = 'retrying' and next_attempt_at <= now()
            and id <> all(array(
                select unnest(retry_ids) from messaging_chunk
                where organization_id = %(org)s and dispatch_id = %(dispatch)s and finished_at is null and retry_ids is not null))
        order by id limit %(size)s for update skip locked))
    returning delivery.id
)
insert into messaging_chunk (organization_id, dispatch_id, first_id, last_id, retry_ids, done_through, sending_through)
select %(org)s, %(dispatch)s, min(id), max(id), array_agg(id order by id), min(id) - 1, min(id) - 1 from due having count(*) > 0
"""


@dataclass(frozen=True, slots=True)
class ClaimedChunk:
    """A chunk that is ours until the lease runs out, as its row said when we claimed it."""

    id: int
    first_id: int
    last_id: int
    retry_ids: list[int] | None
    sending_through: int
    in_flight: list[int]
    held_back: list[int]


class Row(NamedTuple):
    """One delivery to be sent; with a reason in the words of planning, one that must not be any more.

    ``is_moved``: the address is not the one of the plan.
    """

    delivery_id: int
    customer_id: int
    address: str
    attempts: int
    reason: str = ""
    is_moved: bool = False


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of one dispatch, for the holder of one lease."""

    organization_id: int
    dispatch_id: int
    lease: str
    lease_seconds: float

    def claim_chunk(self, *, whatever_state: bool = False) -> tuple[ClaimedChunk, list[Row]] | None:
        """Claim the next free chunk, settle what a lost worker left of it, and read what is still open.

        Whoever may not be written to any more has a reason; whose address was corrected gets it there.
        """
        with tenant(self.organization_id), connection.cursor() as cursor:
            cursor.execute(_CLAIM, self._values(seconds=self.lease_seconds, patience=GIVE_UP_SECONDS, whatever_state=whatever_state))
            found = cursor.fetchone()
            if found is None:
                return None
            chunk = ClaimedChunk(*found)
            values = self._values(chunk=chunk.id, first=chunk.first_id, last=chunk.last_id, retries=chunk.retry_ids)
            if chunk.sending_through >= chunk.first_id:
                through = {"through": chunk.sending_through, "in_flight": chunk.in_flight, "held_back": chunk.held_back}
                cursor.execute(_SETTLE_RANGE if chunk.retry_ids is None else _SETTLE_LIST, values | through)
            return chunk, self._read(cursor, _READ_RANGE if chunk.retry_ids is None else _READ_LIST, values)

    def read_again(self, chunk_ids: Sequence[int], delivery_ids: Sequence[int]) -> list[Row]:
        """Read deliveries of our chunks once more, as claiming did.

        Raises:
            LeaseLostError: one of the chunks is another worker's now.
        """
        with tenant(self.organization_id), connection.cursor() as cursor:
            cursor.execute(_HOLD, self._values(chunks=list(chunk_ids)))
            if cursor.rowcount < len(chunk_ids):
                raise LeaseLostError("a chunk that was waiting here belongs to another worker")
            return self._read(cursor, _READ_NAMED, self._named(delivery_ids))

    def _read(self, cursor: Any, statement: str, values: dict[str, Any]) -> list[Row]:
        cursor.execute(statement, values)
        rows = list(starmap(Row, cursor.fetchall()))
        if moved := [row for row in rows if row.is_moved and not row.reason]:
            ids, addresses = [row.delivery_id for row in moved], [row.address for row in moved]
            cursor.execute(_READDRESS, self._values(ids=ids, addresses=addresses))
        return rows

    def write_sent(self, sent: Sequence[tuple[int, float]]) -> None:
        """Write (delivery id, Unix time) of messages that the other side took."""
        if not sent:
            return
        # One moment, the first of the batch's (of a second at most).
        values = self._named([delivery_id for delivery_id, _ in sent]) | {"at": min(at for _, at in sent)}
        self._execute(_WRITE_SENT, values)

    def finish_chunks(self, chunk_ids: Sequence[int]) -> None:
        """Close chunks of which every fate is written."""
        self._execute(_FINISH, self._values(chunks=list(chunk_ids)))

    def extend_lease(self) -> str:
        """Keep our chunks for another while; return the dispatch's state."""
        with tenant(self.organization_id), connection.cursor() as cursor:
            cursor.execute(_EXTEND, self._values(seconds=self.lease_seconds))
            cursor.execute("select state from messaging_dispatch where id = %(dispatch)s", self._values())
            found = cursor.fetchone()
        return str(found[0]) if found else "cancelled"

    def release_chunks(self) -> None:
        """Let go of the chunks that are not finished."""
        self._execute(_RELEASE, self._values())

    def gather_retries(self) -> int:
        """Make a chunk of retries that are due; return how many chunks that made."""
        return self._execute(_GATHER_RETRIES, self._values(size=RETRY_CHUNK_SIZE))

    def _execute(self, statement: str, values: dict[str, Any]) -> int:
        with tenant(self.organization_id), connection.cursor() as cursor:
            cursor.execute(statement, values)
            return int(cursor.rowcount)

    def _named(self, delivery_ids: Sequence[int]) -> dict[str, Any]:
        # One text: a list is adapted item by item, which costs more than all the rest.
        text = "{" + ",".join(map(str, delivery_ids)) + "}"
        return self._values(ids=text, first=min(delivery_ids), last=max(delivery_ids))

    def _values(self, **more: Any) -> dict[str, Any]:
        return {"org": self.organization_id, "dispatch": self.dispatch_id, "lease": self.lease, **more}
