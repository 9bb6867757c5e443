from datetime import UTC, datetime, timedelta

from crm.events import NewEvent, record_events
from segmentation.explanation import Reason, explain
from segmentation.models import Segment, SegmentKind, SegmentMember
from tests.conftest import Cast
from tests.factories import CustomerFactory

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


def test_each_node_says_whether_it_holds_and_what_was_found(in_saffron: Cast) -> None:
    customer = CustomerFactory.create(facts__spent_minor=12_000, city="Paris")
    record_events(NewEvent("visit.completed", NOW - timedelta(days=days), customer.pk) for days in (3, 10, 200))
    fixed = Segment.objects.create(name="Guests", kind=SegmentKind.STATIC)
    segment = Segment.objects.create(name="Regulars", rules={"all": [
        {"field": "spent", "op": "at_least", "value": 50_000},
        {"event": "visit.completed", "count": {"op": "at_least", "value": 2}, "when": {"last": {"days": 90}}},
        {"none": [{"field": "birthday", "op": "known"}, {"segment": fixed.pk}]},
        {"any": [{"field": "city", "op": "is", "value": "paris"}, {"field": "average_order", "op": "known"}]},
    ]})  # fmt: skip
    assert explain(segment, customer, now=NOW) == Reason("All of these", holds=False, children=(
        Reason("spent at least $500.00", holds=False, found="$120.00"),
        Reason("at least 2 visits in the last 90 days", holds=True, found="2 visits"),
        Reason("None of these", holds=True, children=(
            Reason("birthday is known", holds=False, found="not known"),
            Reason("in segment “Guests”", holds=False),
        )),
        Reason("At least one of these", holds=True, children=(
            Reason("city is paris", holds=True, found="Paris"),
            Reason("average order is known", holds=False, found="not known"),
        )),
    ))  # fmt: skip


def test_a_fixed_list_says_since_when_a_customer_is_on_it(in_saffron: Cast) -> None:
    listed, other = CustomerFactory.create_batch(2)
    fixed = Segment.objects.create(name="Guests", kind=SegmentKind.STATIC)
    row = SegmentMember.objects.create(segment=fixed, customer=listed)
    assert explain(fixed, listed, now=NOW) == Reason(
        "On the fixed list", holds=True, found=f"{row.added_at:%b} {row.added_at.day}, {row.added_at:%Y}"
    )
    assert explain(fixed, other, now=NOW) == Reason("On the fixed list", holds=False)
