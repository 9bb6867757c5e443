"""From requests to conclusions: hits become the ledger's columns, events and facts, exactly once.

A consumer of the hits with a cursor of its own, like those of the event log: only rows older than
every open transaction are read, and cursor and conclusions move in one transaction. Hits rest a
few seconds first, because what a scanner is shows in its next requests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from accounts.tenancy import current_organization_id
from crm.events import NewEvent, record_events
from crm.models import EventCursor
from messaging.tracking.hits import CLICK
from messaging.tracking.machines import BURST, CLOCK_DOUBT, FASTEST_CLICK, FASTEST_OPEN, Machine, find_bursts

CONSUMER = "messaging.tracking"
EVENT_SOURCE = "message"
SETTLE = timedelta(seconds=3)
PATIENCE = timedelta(seconds=15)  # whoever clicks without end holds the others back no longer
BATCH = 5_000

# Ordered by the table's column: the bare name would be that of the text beside it, by which 1000 comes before 999.
_READ = """
select id, transaction_id::text, delivery_id, kind, link_index, address, at, machine
from messaging_trackinghit as hit
where organization_id = %s and (transaction_id, id) > (%s::xid8, %s)
    and transaction_id < pg_snapshot_xmin(pg_current_snapshot())
order by hit.transaction_id, hit.id limit %s
"""
# Never waits for a row: the sender writes many rows of the ledger and of facts at a time, in its own order, and two
# that wait for each other would be a deadlock. A fold that finds one taken leaves it all for the next time.
_LOCK = """
select id, customer_id, dispatch_id, sent_at, opened_at, clicked_at from messaging_delivery
where organization_id = %s and id = any(%s) order by id for update nowait
"""
_MARK = """
update messaging_trackinghit as hit set machine = given.machine
from unnest(%s::bigint[], %s::text[]) as given (id, machine)
where hit.organization_id = %s and hit.id = given.id
"""
_WRITE = """
update messaging_delivery as delivery
set opened_at = least(delivery.opened_at, given.opened_at),
    open_count = delivery.open_count + given.opens,
    clicked_at = least(delivery.clicked_at, given.clicked_at),
    click_count = delivery.click_count + given.clicks,
    machine_opened_at = least(delivery.machine_opened_at, given.machine_opened_at),
    machine_clicked_at = least(delivery.machine_clicked_at, given.machine_clicked_at)
from unnest(%s::bigint[], %s::timestamptz[], %s::int[], %s::timestamptz[], %s::int[], %s::timestamptz[], %s::timestamptz[])
    as given (id, opened_at, opens, clicked_at, clicks, machine_opened_at, machine_clicked_at)
where delivery.organization_id = %s and delivery.id = given.id
"""
_LOCK_FACTS = """
select from crm_customerfacts where organization_id = %s and customer_id = any(%s) order by customer_id for update nowait
"""
_COUNT = """
update crm_customerfacts as facts
set open_count = facts.open_count + given.opens, last_open_at = greatest(facts.last_open_at, given.open_at),
    click_count = facts.click_count + given.clicks, last_click_at = greatest(facts.last_click_at, given.click_at)
from (
    select customer_id, count(open_at) as opens, max(open_at) as open_at, count(click_at) as clicks, max(click_at) as click_at
    from unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) as first (customer_id, open_at, click_at)
    group by customer_id
) as given
where facts.organization_id = %s and facts.customer_id = given.customer_id
"""


@dataclass(slots=True)
class _Row:
    id: int
    transaction_id: str
    delivery_id: int
    kind: str
    link_index: int | None
    address: str
    at: datetime
    machine: str


@dataclass(frozen=True, slots=True)
class _Delivery:
    id: int
    customer_id: int
    dispatch_id: int
    sent_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None


@dataclass(slots=True)
class _Findings:
    """What a batch says about one delivery: the first times, the last ones, and how often."""

    delivery: _Delivery
    opened_at: datetime | None = None
    last_opened_at: datetime | None = None
    opens: int = 0
    clicked_at: datetime | None = None
    last_clicked_at: datetime | None = None
    clicks: int = 0
    first_click: _Row | None = None
    machine_opened_at: datetime | None = None
    machine_clicked_at: datetime | None = None

    @property
    def is_first_open(self) -> bool:
        return self.opened_at is not None and self.delivery.opened_at is None

    @property
    def is_first_click(self) -> bool:
        return self.clicked_at is not None and self.delivery.clicked_at is None

    def add(self, row: _Row) -> None:
        """Take one judged hit in."""
        match row.kind == CLICK, bool(row.machine):
            case False, False:
                self.opened_at, self.opens = _earlier(self.opened_at, row.at), self.opens + 1
                self.last_opened_at = _later(self.last_opened_at, row.at)
            case True, False:
                if self.clicked_at is None or row.at < self.clicked_at:
                    self.clicked_at, self.first_click = row.at, row
                self.last_clicked_at = _later(self.last_clicked_at, row.at)
                self.clicks += 1
                # Who clicks has seen the message, whether or not pictures were loaded.
                self.opened_at = _earlier(self.opened_at, row.at)
            case False, True:
                self.machine_opened_at = _earlier(self.machine_opened_at, row.at)
            case True, True:
                self.machine_clicked_at = _earlier(self.machine_clicked_at, row.at)


@transaction.atomic
def fold_hits(*, now: datetime) -> int:
    """Fold the next settled hits of the current organization; returns how many, 0 when there are no more.

    Raises:
        OperationalError: somebody is writing one of the deliveries or facts; nothing of this batch is folded.
    """
    cursor = _take_cursor()
    if cursor is None:
        return 0
    rows = _settled(_read(cursor), now)
    if not rows:
        return 0
    deliveries = _lock_deliveries({row.delivery_id for row in rows})
    known = [row for row in rows if row.delivery_id in deliveries]
    _judge(known, deliveries)
    findings: dict[int, _Findings] = {}
    for row in known:
        findings.setdefault(row.delivery_id, _Findings(deliveries[row.delivery_id])).add(row)
    _conclude(list(findings.values()))
    EventCursor.objects.filter(pk=cursor.pk).update(transaction_id=rows[-1].transaction_id, event_id=rows[-1].id)
    return len(rows)


def _take_cursor() -> EventCursor | None:
    """The cursor, locked; None while another process folds."""
    EventCursor.objects.get_or_create(consumer=CONSUMER)
    return EventCursor.objects.select_for_update(skip_locked=True).filter(consumer=CONSUMER).first()


def _read(cursor: EventCursor) -> list[_Row]:
    with connection.cursor() as statement:
        statement.execute(_READ, [current_organization_id(), cursor.transaction_id, cursor.event_id, BATCH])
        return [_Row(*values) for values in statement.fetchall()]


def _settled(rows: Sequence[_Row], now: datetime) -> list[_Row]:
    """The hits up to the first that is too young, or to the end of a full batch, before a scanner's run that would be cut in two."""
    young = next((position for position, row in enumerate(rows) if row.at > now - SETTLE), len(rows))
    if young < len(rows):
        old = next((position for position, row in enumerate(rows) if row.at > now - PATIENCE), young)
        return list(rows[: max(min(old, young), _before_runs(rows, young))])
    if len(rows) < BATCH:
        return list(rows)
    # What follows a full batch is not known yet: a run may go on within a burst of its last hit.
    certain = next(position for position, row in enumerate(rows) if row.at >= rows[-1].at - BURST)
    return list(rows[: _before_runs(rows, certain) or len(rows)])


def _before_runs(rows: Sequence[_Row], cut: int) -> int:
    """The cut, moved back until no click before it is within a burst of those behind it of its delivery."""
    while cut:
        behind: dict[int, list[datetime]] = defaultdict(list)
        for row in rows[cut:]:
            if row.kind == CLICK:
                behind[row.delivery_id].append(row.at)
        spans = {delivery_id: (min(moments) - BURST, max(moments) + BURST) for delivery_id, moments in behind.items()}
        torn = (position for position, row in enumerate(rows[:cut]) if row.kind == CLICK and _is_within(spans.get(row.delivery_id), row.at))
        earlier = next(torn, cut)
        if earlier == cut:
            break
        cut = earlier
    return cut


def _is_within(span: tuple[datetime, datetime] | None, at: datetime) -> bool:
    return span is not None and span[0] <= at <= span[1]


def _lock_deliveries(ids: set[int]) -> dict[int, _Delivery]:
    with connection.cursor() as statement:
        statement.execute(_LOCK, [current_organization_id(), sorted(ids)])
        return {values[0]: _Delivery(*values) for values in statement.fetchall()}


def _judge(rows: Sequence[_Row], deliveries: dict[int, _Delivery]) -> None:
    """Mark the hits that timing gives away, in memory and on their rows."""
    given_away: list[_Row] = []
    clicks: dict[int, list[_Row]] = defaultdict(list)
    for row in rows:
        if row.kind == CLICK:
            clicks[row.delivery_id].append(row)
        if not row.machine and _is_too_fast(row, deliveries[row.delivery_id].sent_at):
            row.machine = Machine.TOO_FAST
            given_away.append(row)
    for group in clicks.values():
        for position in find_bursts([(row.at, row.link_index or 0) for row in group]):
            if not group[position].machine:
                group[position].machine = Machine.BURST
                given_away.append(group[position])
    if given_away:
        ids, machines = [row.id for row in given_away], [str(row.machine) for row in given_away]
        _execute(_MARK, [ids, machines, current_organization_id()])


def _is_too_fast(row: _Row, sent_at: datetime | None) -> bool:
    if sent_at is None:
        return False
    fastest = FASTEST_CLICK if row.kind == CLICK else FASTEST_OPEN
    return -CLOCK_DOUBT <= row.at - sent_at < fastest


def _conclude(findings: Sequence[_Findings]) -> None:
    """Write the ledger's columns, the events and the customers' facts."""
    found = sorted(findings, key=lambda finding: finding.delivery.id)
    columns = [
        [finding.delivery.id for finding in found],
        [finding.opened_at for finding in found],
        [finding.opens for finding in found],
        [finding.clicked_at for finding in found],
        [finding.clicks for finding in found],
        [finding.machine_opened_at for finding in found],
        [finding.machine_clicked_at for finding in found],
    ]
    _execute(_WRITE, [*columns, current_organization_id()])
    record_events(event for finding in found for event in _events(finding))
    first = sorted((f for f in found if f.is_first_open or f.is_first_click), key=lambda f: f.delivery.customer_id)
    if not first:
        return
    facts = [
        [finding.delivery.customer_id for finding in first],
        [finding.opened_at if finding.is_first_open else None for finding in first],
        [finding.clicked_at if finding.is_first_click else None for finding in first],
    ]
    _execute(_LOCK_FACTS, [current_organization_id(), facts[0]])
    _execute(_COUNT, [*facts, current_organization_id()])


def _events(finding: _Findings) -> list[NewEvent]:
    """The first open and the first click, and of those that came later the last of this batch."""
    customer_id, about = finding.delivery.customer_id, {"delivery": finding.delivery.id, "dispatch": finding.delivery.dispatch_id}
    events = []
    if finding.is_first_open and finding.opened_at:
        events.append(NewEvent("message.opened", finding.opened_at, customer_id, EVENT_SOURCE, about))
    if finding.is_first_click and (row := finding.first_click):
        link = {"link": row.link_index, "address": row.address}
        events.append(NewEvent("message.clicked", row.at, customer_id, EVENT_SOURCE, {**about, **link}))
    later_open = finding.last_opened_at if not finding.is_first_open or finding.last_opened_at != finding.opened_at else None
    later_click = finding.last_clicked_at if not finding.is_first_click or finding.last_clicked_at != finding.clicked_at else None
    for at, is_click in ((later_open, False), (later_click, True)):
        if at is not None:
            events.append(NewEvent("message.revisited", at, customer_id, EVENT_SOURCE, {**about, "is_click": is_click}))
    return events


def _execute(statement: str, parameters: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def _earlier(known: datetime | None, moment: datetime) -> datetime:
    return moment if known is None or moment < known else known


def _later(known: datetime | None, moment: datetime) -> datetime:
    return moment if known is None or moment > known else known
