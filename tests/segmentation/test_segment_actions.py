from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from campaigns.models import Campaign, CampaignAudience
from crm.models import Event
from segmentation.actions import add_members, create_segment, delete_segment, remove_members, snapshot_segment, update_segment
from segmentation.models import Segment, SegmentKind, SegmentMember
from segmentation.queries import segment_customers
from tests.beside import run_beside, wait_for_a_lock
from tests.conftest import Cast
from tests.factories import CustomerFactory

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
BIG_SPENDERS = {"all": [{"field": "spent", "op": "at_least", "value": 1000}]}


def test_creating_a_segment_leaves_an_audit_entry_and_an_event(in_saffron: Cast) -> None:
    segment = create_segment(name=" Big spenders ", rules=BIG_SPENDERS, actor=in_saffron.alice_acts, now=NOW)
    assert (segment.name, segment.rules, segment.kind) == ("Big spenders", BIG_SPENDERS, "dynamic")
    entry = AuditEntry.objects.get(action="segment.created")
    assert (entry.actor_label, entry.subject_id, entry.after) == (
        "Alice",
        segment.pk,
        {"name": "Big spenders", "kind": "dynamic", "rules": BIG_SPENDERS},
    )
    assert Event.objects.get(kind="segment.created").properties == {"segment": segment.pk, "name": "Big spenders"}


def test_a_segment_with_faulty_rules_is_refused_and_nothing_is_written(in_saffron: Cast) -> None:
    with pytest.raises(ValidationError) as caught:
        create_segment(name="Odd", rules={"all": [{"field": "height", "op": "is", "value": 1}]}, actor=in_saffron.alice_acts, now=NOW)
    assert caught.value.message_dict == {"rules": ["all[0].field: There is no field “height”."]}
    assert not Segment.objects.exists()
    assert not Event.objects.filter(kind="segment.created").exists()


def test_two_segments_cannot_have_one_name(in_saffron: Cast) -> None:
    create_segment(name="VIP", rules=BIG_SPENDERS, actor=in_saffron.alice_acts, now=NOW)
    with pytest.raises(ValidationError):
        create_segment(name="VIP", rules=BIG_SPENDERS, actor=in_saffron.alice_acts, now=NOW)
    assert Segment.objects.count() == 1


def test_changing_rules_forgets_the_size_and_tells_before_and_after(in_saffron: Cast) -> None:
    segment = create_segment(name="VIP", rules=BIG_SPENDERS, actor=in_saffron.alice_acts, now=NOW)
    Segment.objects.update(member_count=7, counted_at=NOW)
    wider = {"all": [{"field": "spent", "op": "at_least", "value": 10}]}
    changed = update_segment(segment=segment, rules=wider, name="VIP", actor=in_saffron.bob_acts, now=NOW)
    assert (changed.rules, changed.member_count, changed.counted_at) == (wider, None, None)
    entry = AuditEntry.objects.get(action="segment.changed")
    assert (entry.actor_label, entry.before, entry.after) == ("Bob", {"rules": BIG_SPENDERS}, {"rules": wider})


def test_a_snapshot_keeps_who_was_in_the_segment(in_saffron: Cast) -> None:
    rich = CustomerFactory.create(facts__spent_minor=5000)
    CustomerFactory.create(facts__spent_minor=10)
    segment = create_segment(name="Rich", rules=BIG_SPENDERS, actor=in_saffron.alice_acts, now=NOW)
    fixed = snapshot_segment(segment=segment, name="Rich in November", actor=in_saffron.alice_acts, now=NOW)
    late = CustomerFactory.create(facts__spent_minor=9000)
    assert (fixed.kind, fixed.member_count, fixed.counted_at) == (SegmentKind.STATIC, 1, NOW)
    assert list(segment_customers(fixed, now=NOW)) == [rich]
    assert set(segment_customers(segment, now=NOW)) == {rich, late}
    assert AuditEntry.objects.get(action="segment.snapshot_taken").after == {"name": "Rich in November", "from": segment.pk, "customers": 1}


def test_customers_are_put_on_a_fixed_list_and_taken_off_it(in_saffron: Cast) -> None:
    first, second, third = CustomerFactory.create_batch(3)
    fixed = create_segment(name="Guests", kind=SegmentKind.STATIC, actor=in_saffron.alice_acts, now=NOW)
    acts: Any = {"segment": fixed, "actor": in_saffron.alice_acts, "now": NOW}
    assert add_members(customer_ids=[first.pk, second.pk], **acts) == 2
    assert add_members(customer_ids=[second.pk, third.pk], **acts) == 1
    assert remove_members(customer_ids=[first.pk], **acts) == 1
    assert remove_members(customer_ids=[first.pk], **acts) == 0
    assert set(segment_customers(fixed, now=NOW)) == {second, third}
    fixed.refresh_from_db()
    assert fixed.member_count == 2
    assert AuditEntry.objects.filter(action__startswith="segment.members_").count() == 3


def test_a_segment_that_follows_rules_takes_no_members_by_hand(in_saffron: Cast) -> None:
    customer = CustomerFactory.create()
    segment = create_segment(name="Rich", rules=BIG_SPENDERS, actor=in_saffron.alice_acts, now=NOW)
    with pytest.raises(ValidationError, match="follow from its rules"):
        add_members(segment=segment, customer_ids=[customer.pk], actor=in_saffron.alice_acts, now=NOW)
    assert not SegmentMember.objects.exists()


def test_a_stranger_cannot_be_put_on_a_list(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        ours = CustomerFactory.create()
    with tenant(cast.rival.pk):
        fixed = create_segment(name="Guests", kind=SegmentKind.STATIC, actor=cast.charlie_acts, now=NOW)
        with pytest.raises(ValidationError, match="does not exist"):
            add_members(segment=fixed, customer_ids=[ours.pk], actor=cast.charlie_acts, now=NOW)
        assert not SegmentMember.objects.exists()


def test_a_segment_is_deleted_only_when_nothing_uses_it(in_saffron: Cast) -> None:
    alice: Any = {"actor": in_saffron.alice_acts, "now": NOW}
    rich = create_segment(name="Rich", rules=BIG_SPENDERS, **alice)
    friends = create_segment(name="Friends of the rich", rules={"none": [{"segment": rich.pk}]}, **alice)
    with pytest.raises(ValidationError, match="Friends of the rich"):
        delete_segment(segment=rich, **alice)
    campaign = Campaign.objects.create(name="Spring")
    CampaignAudience.objects.create(campaign=campaign, segment=friends)
    with pytest.raises(ValidationError, match="It is in use by: Spring\\."):
        delete_segment(segment=friends, **alice)
    assert Segment.objects.count() == 2
    campaign.delete()
    delete_segment(segment=friends, **alice)
    delete_segment(segment=rich, **alice)
    assert not Segment.objects.exists()
    assert AuditEntry.objects.filter(action="segment.deleted").count() == 2


def test_of_two_who_give_one_name_at_once_the_second_hears_that_it_is_taken(committed_cast: Cast) -> None:
    organization_id = committed_cast.saffron.pk

    def create() -> Any:
        with tenant(organization_id):
            return create_segment(name="Rich", rules=BIG_SPENDERS, actor=committed_cast.bob_acts, now=NOW)

    with tenant(organization_id):
        create_segment(name="Rich", rules=BIG_SPENDERS, actor=committed_cast.alice_acts, now=NOW)
        thread, came = run_beside(create)
        wait_for_a_lock()
    thread.join(20)
    assert [type(each) for each in came] == [ValidationError]
    with tenant(organization_id):
        assert Segment.objects.count() == 1
        assert AuditEntry.objects.filter(action="segment.created").count() == 1


def test_an_empty_list_of_rules_is_none_for_a_fixed_list(in_saffron: Cast) -> None:
    made = create_segment(name="Fixed", kind=SegmentKind.STATIC, rules=[], actor=in_saffron.alice_acts, now=NOW)
    assert Segment.objects.get(pk=made.pk).rules == {}
