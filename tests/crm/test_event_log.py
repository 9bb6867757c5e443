from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from threading import Event as Signal
from zoneinfo import ZoneInfo

from django.db import connection, connections

from accounts.tenancy import tenant
from crm.events import NewEvent, append_event, record_event, record_events, unread_events
from crm.models import Event
from tests.conftest import Cast
from tests.waiting import wait_until

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def test_an_event_with_a_known_key_is_recorded_once(in_saffron: Cast) -> None:
    first = record_event(NewEvent("order.placed", NOW, source="shop", key="order-1"))
    again = record_event(NewEvent("order.placed", NOW, source="shop", key="order-1"))
    elsewhere = record_event(NewEvent("order.placed", NOW, source="till", key="order-1"))
    assert first is not None
    assert again is None
    assert elsewhere is not None
    assert Event.objects.count() == 2


def test_the_same_key_twice_in_one_batch_counts_once(in_saffron: Cast) -> None:
    recorded = record_events([NewEvent("order.placed", NOW, key="k"), NewEvent("order.placed", NOW, key="k")])
    assert len(recorded) == 1


def test_a_month_without_a_partition_gets_one(in_saffron: Cast) -> None:
    for year in (1999, 2011, 2031):
        record_event(NewEvent("order.placed", datetime(year, 2, 3, tzinfo=UTC)))
    assert list(Event.objects.values_list("occurred_at__year", flat=True)) == [2031, 2011, 1999]


def test_the_month_of_an_event_is_that_of_utc(in_saffron: Cast) -> None:
    at = datetime(2013, 1, 31, 22, 0, tzinfo=ZoneInfo("America/New_York"))
    record_event(NewEvent("order.placed", at))
    append_event(NewEvent("order.paid", at))
    assert set(Event.objects.values_list("kind", "occurred_at")) == {
        ("order.placed", datetime(2013, 2, 1, 3, 0, tzinfo=UTC)),
        ("order.paid", datetime(2013, 2, 1, 3, 0, tzinfo=UTC)),
    }


def test_writers_of_a_months_first_event_make_its_partition_once(committed_cast: Cast) -> None:
    together = Barrier(8, timeout=60)

    def write(_number: int) -> None:
        with tenant(committed_cast.saffron.pk):
            together.wait()
            record_event(NewEvent("order.placed", datetime(1977, 2, 3, tzinfo=UTC)))
        connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with tenant(committed_cast.saffron.pk):
        assert Event.objects.count() == 8


def test_a_consumer_never_skips_a_writer_that_commits_late(committed_cast: Cast) -> None:
    organization = committed_cast.saffron.pk
    written, may_commit = Signal(), Signal()
    with tenant(organization):
        record_event(NewEvent("warm.up", NOW))
    assert consume_eventually(organization, 1) == ["warm.up"]

    def write_slowly() -> None:
        with tenant(organization):
            record_event(NewEvent("slow.write", NOW))
            written.set()
            may_commit.wait(10)
        connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(write_slowly)
        assert written.wait(10)
        with tenant(organization):
            record_event(NewEvent("fast.write", NOW))
        assert consume(organization) == []  # the fast one waits for the slow one, else the slow one would be passed over
        may_commit.set()
        slow.result()
    assert sorted(consume_eventually(organization, 2)) == ["fast.write", "slow.write"]
    assert consume(organization) == []
    connection.close()


def consume_eventually(organization_id: int, count: int) -> list[str]:
    """Read until ``count`` events came: transactions of tests beside this one also hold readers back."""
    kinds: list[str] = []

    def have_come() -> bool:
        kinds.extend(consume(organization_id))
        return len(kinds) >= count

    wait_until(have_come, f"{count} events did not come", seconds=20)
    return kinds


def consume(organization_id: int) -> list[str]:
    with tenant(organization_id):
        return [event.kind for batch in unread_events("test", limit=2) for event in batch]
