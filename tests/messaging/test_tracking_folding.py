"""Requests become the ledger's columns, events and facts: exactly once, people and machines apart."""

from datetime import datetime, timedelta

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client

from accounts.tenancy import tenant
from crm.models import Event
from messaging.models import TrackingHit
from messaging.tasks import fold_tracking, forget_tracking
from messaging.tracking import folding
from messaging.tracking.hits import Hit
from messaging.tracking.store import HitStore
from messaging.tracking.tokens import DeliveryRef
from tests.conftest import Cast
from tests.messaging.tracking_stage import PHONE, SentMessage, sent_message


@pytest.fixture
def message(committed_cast: Cast) -> SentMessage:
    return sent_message(committed_cast.saffron.pk)


def hits(message: SentMessage, *given: tuple[str, float, int | None, str], number: int = 0) -> None:
    """Store hits of one delivery: kind, seconds after sending, link, machine."""
    store = HitStore()
    ref = DeliveryRef(message.organization_id, message.delivery_ids[number])
    store(
        [
            Hit(
                ref,
                kind,
                message.sent_at + timedelta(seconds=seconds),
                machine,
                PHONE,
                link,
                "https://saffron.example/" if link is not None else "",
            )
            for kind, seconds, link, machine in given
        ]
    )
    store.close()


def after(message: SentMessage, seconds: float) -> datetime:
    return message.sent_at + timedelta(seconds=seconds)


def test_a_first_open_is_an_event_and_later_ones_are_counted(message: SentMessage) -> None:
    hits(message, ("open", 60, None, ""), ("open", 90, None, ""))
    assert message.fold() == 2
    delivery = message.delivery()
    assert (delivery.opened_at, delivery.open_count, delivery.clicked_at, delivery.machine_opened_at) == (after(message, 60), 2, None, None)
    about = {"delivery": delivery.pk, "dispatch": message.dispatch_id}
    assert message.events("message.opened") == [("message.opened", delivery.customer_id, about)]
    assert (delivery.customer.facts.open_count, delivery.customer.facts.last_open_at) == (1, after(message, 60))
    hits(message, ("open", 120, None, ""))
    assert message.fold() == 1
    assert message.delivery().open_count == 3
    assert len(message.events("message.opened")) == 1
    assert message.delivery().customer.facts.open_count == 1


def test_hits_are_folded_once_where_the_numbers_of_transactions_grow_by_a_digit(
    message: SentMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits(message, *(("open", 60 + 10 * number, None, "") for number in range(4)))
    with tenant(message.organization_id):
        for hit, transaction_id in zip(TrackingHit.objects.order_by("pk"), ("98", "99", "100", "101"), strict=True):
            TrackingHit.objects.filter(pk=hit.pk).update(transaction_id=transaction_id)
    monkeypatch.setattr(folding, "BATCH", 3)
    assert [message.fold(), message.fold(), message.fold()] == [
        2,
        2,
        0,
    ]  # a full batch leaves its last hits, which may be of a run, to the next
    assert message.delivery().open_count == 4


def test_a_scanners_run_is_judged_as_a_whole_when_the_newest_hits_are_too_young(message: SentMessage) -> None:
    hits(message, ("open", 500, None, ""), *(("click", 600 + link / 10, link, "") for link in range(4)))
    assert message.fold(now=after(message, 603.15)) == 1  # two of the clicks are old enough, but not their run
    assert message.fold(now=after(message, 604)) == 4
    delivery = message.delivery()
    assert (delivery.click_count, delivery.clicked_at, delivery.machine_clicked_at) == (0, None, after(message, 600))
    assert message.events("message.clicked") == []


def test_whoever_clicks_without_end_holds_the_others_back_for_seconds_only(message: SentMessage) -> None:
    hits(message, *(("click", 600 + second / 2, second % 2, "") for second in range(60)), ("open", 605, None, ""), number=0)
    assert message.fold(now=after(message, 627)) == 25  # those of the first twelve seconds


def test_whoever_comes_back_later_is_an_event_of_its_own_and_the_last_of_each_kind_tells(message: SentMessage) -> None:
    hits(message, ("open", 60, None, ""), ("open", 61, None, "crawler"))
    message.fold()
    hits(message, ("open", 70, None, ""), ("click", 75, 1, ""), ("click", 80, 0, ""), ("open", 90, None, ""), ("click", 99, 0, "crawler"))
    message.fold()
    with tenant(message.organization_id):
        events = Event.objects.order_by("id").values_list("kind", "occurred_at", "properties__is_click")
        assert list(events) == [
            ("message.opened", after(message, 60), None),
            ("message.clicked", after(message, 75), None),
            ("message.revisited", after(message, 90), False),
            ("message.revisited", after(message, 80), True),
        ]
    facts = message.delivery().customer.facts
    assert (facts.open_count, facts.click_count) == (1, 1)


def test_folding_again_changes_nothing(message: SentMessage) -> None:
    hits(message, ("open", 60, None, ""))
    assert (message.fold(), message.fold()) == (1, 0)
    assert message.delivery().open_count == 1


def test_a_click_says_that_the_message_was_seen(message: SentMessage) -> None:
    hits(message, ("click", 70, 3, ""), ("click", 75, 1, ""))
    message.fold()
    delivery = message.delivery()
    assert (delivery.opened_at, delivery.open_count, delivery.clicked_at, delivery.click_count) == (
        after(message, 70),
        0,
        after(message, 70),
        2,
    )
    about = {"delivery": delivery.pk, "dispatch": message.dispatch_id}
    assert message.events() == [
        ("message.opened", delivery.customer_id, about),
        ("message.clicked", delivery.customer_id, {**about, "link": 3, "address": "https://saffron.example/"}),
        ("message.revisited", delivery.customer_id, {**about, "is_click": True}),
    ]
    assert (delivery.customer.facts.open_count, delivery.customer.facts.click_count) == (1, 1)


def test_machines_are_marked_and_are_nobodys_interest(message: SentMessage) -> None:
    hits(message, ("open", 60, None, "crawler"), ("click", 61, 0, "head_request"))
    message.fold()
    delivery = message.delivery()
    assert (delivery.machine_opened_at, delivery.machine_clicked_at) == (after(message, 60), after(message, 61))
    assert (delivery.opened_at, delivery.open_count, delivery.clicked_at, delivery.click_count) == (None, 0, None, 0)
    assert message.events() == []
    assert delivery.customer.facts.open_count == 0


@pytest.mark.parametrize(
    ("kind", "seconds", "machine"),
    [
        ("open", 0.9, "too_fast"),
        ("open", 1.0, ""),
        ("click", 1.9, "too_fast"),
        ("click", 2.0, ""),
        ("open", -0.5, "too_fast"),
        ("open", -30, ""),
    ],
)
def test_nobody_reads_faster_than_that(message: SentMessage, kind: str, seconds: float, machine: str) -> None:
    hits(message, (kind, seconds, 0 if kind == "click" else None, ""))
    message.fold()
    delivery = message.delivery()
    assert (delivery.opened_at is None) == bool(machine)
    with tenant(message.organization_id):
        assert list(TrackingHit.objects.values_list("machine", flat=True)) == [machine]


def test_a_scanner_gives_itself_away_by_its_next_requests(message: SentMessage) -> None:
    hits(message, ("click", 60, 0, ""), ("click", 60.3, 1, ""), ("click", 60.6, 2, ""), ("click", 600, 1, ""))
    message.fold()
    delivery = message.delivery()
    assert (delivery.machine_clicked_at, delivery.clicked_at, delivery.click_count) == (after(message, 60), after(message, 600), 1)
    with tenant(message.organization_id):
        assert list(TrackingHit.objects.order_by("at").values_list("machine", flat=True)) == ["burst", "burst", "burst", ""]


def test_hits_rest_before_they_are_judged(message: SentMessage) -> None:
    hits(message, ("click", 60, 0, ""))
    assert message.fold(after(message, 62.9)) == 0
    assert message.fold(after(message, 63)) == 1


def test_hits_of_a_delivery_that_is_gone_are_passed_over(message: SentMessage) -> None:
    gone = SentMessage(message.organization_id, message.dispatch_id, (999_999,), message.sent_at)
    hits(gone, ("open", 60, None, ""))
    hits(message, ("open", 60, None, ""))
    assert message.fold() == 2
    assert message.delivery().open_count == 1


@pytest.mark.parametrize(
    "writing",
    [
        "update messaging_delivery set attempts = 1 where id = {delivery}",
        "update crm_customerfacts set visit_count = 1 where customer_id = {customer}",
    ],
)
def test_rows_being_written_are_left_for_the_next_round(message: SentMessage, writing: str) -> None:
    hits(message, ("open", 60, None, ""))
    parameters = connection.get_connection_params()
    keys = ("dbname", "user", "password", "host", "port")
    with psycopg.connect(**{key: parameters[key] for key in keys if parameters.get(key)}) as writer:
        writer.execute("select set_config('app.organization_id', %s, true)", [str(message.organization_id)])
        written = writer.execute(writing.format(delivery=message.delivery_ids[0], customer=message.delivery().customer_id))
        assert written.rowcount == 1
        with pytest.raises(OperationalError):
            message.fold()
        fold_tracking()  # the task takes it calmly
        assert message.delivery().open_count == 0
        writer.rollback()
    assert message.fold() == 1
    assert message.delivery().open_count == 1


def test_organizations_are_folded_apart(committed_cast: Cast) -> None:
    ours, theirs = sent_message(committed_cast.saffron.pk), sent_message(committed_cast.rival.pk)
    hits(ours, ("open", 60, None, ""))
    hits(theirs, ("open", 61, None, ""), ("open", 62, None, ""))
    fold_tracking()
    assert (ours.delivery().open_count, theirs.delivery().open_count) == (1, 2)
    assert (len(ours.events("message.opened")), len(theirs.events("message.opened"))) == (1, 1)


def test_one_batch_of_several_organizations_lands_in_each(committed_cast: Cast) -> None:
    ours, theirs = sent_message(committed_cast.saffron.pk), sent_message(committed_cast.rival.pk)
    store = HitStore()
    store([Hit(DeliveryRef(m.organization_id, m.delivery_ids[n]), "open", after(m, 60), "", PHONE) for n in (0, 1) for m in (ours, theirs)])
    store.close()
    for message in (ours, theirs):
        with tenant(message.organization_id):
            assert sorted(TrackingHit.objects.values_list("delivery_id", flat=True)) == sorted(message.delivery_ids)


def test_old_requests_are_forgotten_and_what_they_amounted_to_stays(message: SentMessage) -> None:
    hits(message, ("open", 60, None, ""), ("open", 90, None, ""))
    message.fold()
    with tenant(message.organization_id):
        TrackingHit.objects.filter(at=after(message, 60)).update(at=message.sent_at - timedelta(days=401))
    forget_tracking()
    with tenant(message.organization_id):
        assert list(TrackingHit.objects.values_list("at", flat=True)) == [after(message, 90)]
    assert message.delivery().open_count == 2
    assert [kind for kind, _, _ in message.events()] == ["message.opened", "message.revisited"]


def test_a_store_outlives_its_connection(message: SentMessage) -> None:
    store = HitStore()
    hit = Hit(DeliveryRef(message.organization_id, message.delivery_ids[0]), "open", after(message, 60), "", PHONE)
    store([hit])
    assert store._connection is not None
    with connection.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(%s)", [store._connection.info.backend_pid])
    store([hit])
    store.close()
    with tenant(message.organization_id):
        assert TrackingHit.objects.count() == 2


def test_requests_by_way_of_django_are_kept_too(message: SentMessage, client: Client) -> None:
    assert client.get(message.pixel(), headers={"User-Agent": PHONE}).status_code == 200
    assert client.get(message.link(), headers={"User-Agent": PHONE})["Location"] == "https://saffron.example/book"
    message.fold()
    delivery = message.delivery()
    assert (delivery.open_count, delivery.click_count) == (1, 1)
