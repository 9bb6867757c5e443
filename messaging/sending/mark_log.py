"""Durable watermarks without waiting: libpq's asynchronous interface, driven by the engine's own loop.

One connection, one prepared statement, one write open at a time. When PostgreSQL goes away the same write is
repeated after reconnecting: it states what is true, so repeating it is harmless.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq

from messaging.channels.base import LeaseLostError
from messaging.sending.progress import Mark

RECONNECT_SECONDS = 0.25
CONNECT_TIMEOUT_SECONDS = 2
GIVE_UP_SECONDS = 60.0
# Connection exceptions, rollbacks that ask for another try, no resources, locks, operator intervention.
PASSING_ERRORS = (b"08", b"40", b"53", b"55", b"57")

MARK = b"""
update messaging_chunk as chunk
set done_through = given.done_through, sending_through = given.sending_through,
    in_flight = given.in_flight::bigint[], held_back = given.held_back::bigint[],
    leased_until = now() + make_interval(secs => $3::double precision)
from unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[])
    as given (id, done_through, sending_through, in_flight, held_back)
where chunk.organization_id = $1::bigint and chunk.lease = $2::uuid and chunk.id = any($4::bigint[]) and chunk.id = given.id
returning chunk.id
"""
# Fates other than "sent" are written with the mark that covers them, so that no crash can part the two. What bounced at the door
# is told as what bounces later is (``actions.suppressing``); the event's month has its partition before the run begins.
MARK_WITH_FATES = (
    b"with marked as ("
    + MARK
    + b"""), fates as (
    select * from unnest($9::bigint[], $10::text[], $11::text[], $12::text[], $13::double precision[], $14::boolean[])
        as fates (id, state, reason, detail, again_at, is_attempt)
    where (select count(*) from marked) = cardinality($4::bigint[])
), written as (
    update messaging_delivery as delivery
    set state = fates.state, reason = fates.reason, detail = fates.detail,
        attempts = delivery.attempts + fates.is_attempt::int,
        next_attempt_at = to_timestamp(fates.again_at),
        sent_at = case when fates.state = 'ambiguous' then now() end,
        bounced_at = case when fates.state = 'bounced' then now() end
    from fates
    where delivery.organization_id = $1::bigint and delivery.id = any($9::bigint[]) and delivery.id = fates.id
        and (delivery.state = 'planned' or delivery.state = 'retrying' and delivery.next_attempt_at is null)
    returning delivery.id, delivery.customer_id, delivery.dispatch_id, lower(delivery.address) as address, delivery.state, delivery.reason, delivery.detail
), suppressed as (
    insert into messaging_suppression (organization_id, channel, address, reason, detail, created_at)
    select distinct on (written.address) $1::bigint, dispatch.channel, written.address, 'bounce', written.detail, now()
    from written join messaging_dispatch as dispatch
        on dispatch.organization_id = $1::bigint and dispatch.id = written.dispatch_id
    where written.state = 'bounced'
    on conflict do nothing returning id, channel, address, reason
), audited as (
    insert into accounts_auditentry (organization_id, at, actor_kind, actor_label, action, subject_type, subject_id, subject_label, after)
    select $1::bigint, now(), 'system', 'Regulars', 'suppression.created', 'messaging.suppression', id, address,
        jsonb_build_object('channel', channel, 'address', address, 'reason', reason)
    from suppressed
), told as (
    insert into crm_event (organization_id, customer_id, kind, occurred_at, source, properties)
    select $1::bigint, customer_id, 'message.bounced', now(), 'message',
        jsonb_build_object('delivery', id, 'dispatch', dispatch_id, 'permanent', true)
    from written where state = 'bounced'
), left_out as (
    select dispatch_id, reason, count(*) as number from written where state = 'skipped' group by dispatch_id, reason
), counted as (
    update messaging_dispatch as dispatch
    set failed_count = dispatch.failed_count + tally.failed,
        ambiguous_count = dispatch.ambiguous_count + tally.ambiguous,
        planned_count = dispatch.planned_count - tally.skipped,
        skipped_count = dispatch.skipped_count + tally.skipped,
        skipped_by_reason = dispatch.skipped_by_reason || coalesce((
            select jsonb_object_agg(reason, coalesce((dispatch.skipped_by_reason ->> reason)::bigint, 0) + number)
            from left_out where left_out.dispatch_id = dispatch.id), '{}')
    from (select dispatch_id, count(*) filter (where state in ('failed', 'bounced')) as failed,
                 count(*) filter (where state = 'ambiguous') as ambiguous,
                 count(*) filter (where state = 'skipped') as skipped from written group by dispatch_id) as tally
    where dispatch.organization_id = $1::bigint and dispatch.id = tally.dispatch_id
        and tally.failed + tally.ambiguous + tally.skipped > 0
)
select id from marked"""
)
_STATEMENTS = {b"mark": MARK, b"mark_with_fates": MARK_WITH_FATES}


@dataclass(frozen=True, slots=True)
class LedgerFate:
    """A fate other than "sent", in the ledger's words. `again_at` is a Unix time; an attempt is counted."""

    delivery_id: int
    state: str
    reason: str = ""
    detail: str = ""
    again_at: float | None = None
    is_attempt: bool = True


class MarkLog:
    """Writes marks for one organization and one lease."""

    def __init__(self, parameters: dict[str, Any], *, organization_id: int, lease: str, lease_seconds: float) -> None:
        self.events = select.epoll()
        self._parameters = parameters
        self._scope = str(organization_id)
        self._head = [self._scope.encode(), lease.encode(), str(lease_seconds).encode()]
        self._open: tuple[bytes, list[bytes], int] | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._lost_at: float | None = None
        self._retry_at = 0.0
        self._connect()

    def write(self, marks: Sequence[Mark], fates: Sequence[LedgerFate] = ()) -> None:
        """Start one write; `poll` tells when it is on disk."""
        assert self._open is None, "a write is open"
        values = [*self._head, *_mark_columns(marks)]
        if fates:
            values += _fate_columns(fates)
        self._open = (b"mark_with_fates" if fates else b"mark", values, len(marks))
        if self._connection is not None:
            self._send()

    def poll(self) -> bool:
        """Tell whether no write is open any more.

        Raises:
            LeaseLostError: the row is another's now, or PostgreSQL stayed away for too long.
        """
        if self._open is None:
            return True
        if self._connection is None:
            self._reconnect()
            return False
        try:
            return self._receive(self._connection.pgconn)
        except psycopg.OperationalError:
            self._drop()
            return False

    def close(self) -> None:
        """Close the connection; an open write may or may not happen."""
        if self._connection is not None:
            self._connection.close()
        self.events.close()

    def _receive(self, pgconn: Any) -> bool:
        pgconn.consume_input()
        if pgconn.is_busy():
            return False
        marked = None
        while (result := pgconn.get_result()) is not None:
            if result.status == pq.ExecStatus.TUPLES_OK:
                marked = result.ntuples
            else:
                raise _error_of(pgconn, result)
        if marked is None:
            raise psycopg.OperationalError("connection lost")
        assert self._open is not None
        expected, self._open = self._open[2], None
        if marked != expected:
            raise LeaseLostError(f"{expected - marked} of {expected} chunks belong to another worker")
        return True

    def _send(self) -> None:
        assert self._open is not None
        assert self._connection is not None
        name, values, _ = self._open
        try:
            self._connection.pgconn.send_query_prepared(name, values)
            self._connection.pgconn.flush()
        except psycopg.OperationalError:
            self._drop()

    def _connect(self) -> None:
        connection = psycopg.connect(**self._parameters, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS)
        connection.execute("select set_config('app.organization_id', %s, false)", [self._scope])
        connection.execute("set synchronous_commit = on")
        for name, statement in _STATEMENTS.items():
            result = connection.pgconn.prepare(name, statement)
            if result.status != pq.ExecStatus.COMMAND_OK:
                raise psycopg.DatabaseError(result.error_message.decode("utf-8", "replace"))
        connection.pgconn.nonblocking = 1
        self.events.register(connection.pgconn.socket, select.EPOLLIN)
        self._connection = connection
        self._lost_at = None

    def _drop(self) -> None:
        assert self._connection is not None
        self._connection.close()
        self._connection = None
        self._lost_at = time.monotonic()

    def _reconnect(self) -> None:
        now = time.monotonic()
        if now < self._retry_at:
            return
        self._retry_at = now + RECONNECT_SECONDS
        try:
            self._connect()
        except psycopg.OperationalError as error:
            if self._lost_at is not None and now - self._lost_at > GIVE_UP_SECONDS:
                raise LeaseLostError(f"PostgreSQL has been away for {GIVE_UP_SECONDS:.0f} s: {error}") from error
            return
        self._send()


def _error_of(pgconn: Any, result: Any) -> psycopg.Error:
    """A server that shuts down says so in an answer, on a connection that still looks sound."""
    code = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
    words = result.error_message.decode("utf-8", "replace")
    passing = pgconn.status == pq.ConnStatus.BAD or not code or code.startswith(PASSING_ERRORS)
    return psycopg.OperationalError(words) if passing else psycopg.DatabaseError(words)


def _mark_columns(marks: Sequence[Mark]) -> list[bytes]:
    return [
        _array(str(mark.chunk_id) for mark in marks),
        _array(str(mark.done_through) for mark in marks),
        _array(str(mark.sending_through) for mark in marks),
        _array(f'"{{{",".join(map(str, mark.in_flight))}}}"' for mark in marks),
        _array(f'"{{{",".join(map(str, mark.held_back))}}}"' for mark in marks),
    ]


def _fate_columns(fates: Sequence[LedgerFate]) -> list[bytes]:
    return [
        _array(str(fate.delivery_id) for fate in fates),
        _array(_quoted(fate.state) for fate in fates),
        _array(_quoted(fate.reason) for fate in fates),
        _array(_quoted(fate.detail) for fate in fates),
        _array("NULL" if fate.again_at is None else repr(fate.again_at) for fate in fates),
        _array("t" if fate.is_attempt else "f" for fate in fates),
    ]


def _array(items: Any) -> bytes:
    return ("{" + ",".join(items) + "}").encode("utf-8", "replace")


def _quoted(text: str) -> str:
    escaped = text.replace("\x00", "").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
