from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import QuerySet

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from campaigns.models import Campaign
from crm.actions import NewLine, book_visit, record_purchase
from crm.models import Channel, Consent, ConsentState, Customer, Purpose, VisitState
from segmentation.models import Segment, SegmentKind, SegmentMember
from segmentation.queries import (
    SegmentSize,
    SegmentTooSlow,
    audience_customers,
    count_customers,
    preview_customers,
    read_rules,
    rules_customers,
    segment_customers,
    size,
)
from segmentation.rules import RulesError
from tests.campaigns.worlds import make_delivery, make_dispatch
from tests.conftest import Cast
from tests.factories import CustomerFactory

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
RICH = {"all": [{"field": "spent", "op": "at_least", "value": 1000}]}


class Endless:
    """Stands for customers that take the database forever."""

    def count(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("select pg_sleep(30)")
        return 0


def listed(name: str, *customers: Customer) -> Segment:
    segment = Segment.objects.create(name=name, kind=SegmentKind.STATIC)
    SegmentMember.objects.bulk_create(SegmentMember(segment=segment, customer=one) for one in customers)
    return segment


def test_a_count_that_takes_too_long_is_stopped_and_says_what_to_do(in_saffron: Cast) -> None:
    CustomerFactory.create()
    endless: QuerySet[Customer] = Endless()  # type: ignore[assignment]  # only counted
    with pytest.raises(SegmentTooSlow, match=r"Counting took longer than 0\.05 s and was stopped\. Nothing was lost"):
        count_customers(endless, seconds=0.05)
    assert Customer.objects.count() == 1  # the transaction goes on
    with connection.cursor() as cursor:
        cursor.execute("show statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_an_audience_is_any_included_segment_without_the_excluded(in_saffron: Cast) -> None:
    ann, ben, cyd, dan = CustomerFactory.create_batch(4)
    first, second, barred = listed("First", ann, ben), listed("Second", ben, cyd), listed("Barred", ben)
    assert set(audience_customers(included=[first, second], excluded=[barred], now=NOW)) == {ann, cyd}
    assert set(audience_customers(included=[], excluded=[barred], now=NOW)) == {ann, cyd, dan}
    assert set(audience_customers(included=[first], excluded=[], now=NOW)) == {ann, ben}
    assert set(audience_customers(included=[], excluded=[], now=NOW)) == {ann, ben, cyd, dan}


def test_consent_is_counted_beside_a_segment_and_never_decides_who_is_in_it(in_saffron: Cast) -> None:
    agreed, refused, without_address = CustomerFactory.create(), CustomerFactory.create(), CustomerFactory.create(email="")
    for customer, state in ((agreed, ConsentState.GRANTED), (refused, ConsentState.WITHDRAWN), (without_address, ConsentState.GRANTED)):
        Consent.objects.create(customer=customer, channel=Channel.EMAIL, purpose=Purpose.MARKETING, state=state, changed_at=NOW)
    everybody = rules_customers({"all": [{"field": "first_name", "op": "known"}]}, now=NOW)
    assert size(everybody) == SegmentSize(customers=3, reachable=1)
    shown = preview_customers(everybody)
    assert [[consent.state for consent in vars(one)["email_consents"]] for one in shown] == [["granted"], ["withdrawn"], ["granted"]]


def test_a_preview_shows_the_newest_first(in_saffron: Cast) -> None:
    made = CustomerFactory.create_batch(5)
    everybody = rules_customers({"all": [{"field": "first_name", "op": "known"}]}, now=NOW)
    assert preview_customers(everybody, limit=2) == [made[4], made[3]]


def test_another_organization_is_never_counted(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        CustomerFactory.create_batch(2)
    with tenant(cast.rival.pk):
        theirs = CustomerFactory.create()
        for rules in ({"all": [{"field": "first_name", "op": "known"}]}, {"none": [{"event": "visit.completed"}]}):
            assert list(rules_customers(rules, now=NOW)) == [theirs]


def test_who_was_sent_a_campaign_is_asked_of_the_ledger(in_saffron: Cast) -> None:
    sent, planned, stranger = CustomerFactory.create_batch(3)
    dispatch = make_dispatch()
    Campaign.objects.create(name="Spring", dispatch=dispatch)
    make_delivery(dispatch, sent, sent_at=NOW)
    make_delivery(dispatch, planned)
    condition = {"event": "message.sent", "where": [{"property": "dispatch", "op": "is", "value": dispatch.pk}]}
    assert set(rules_customers({"all": [condition]}, now=NOW)) == {sent}
    assert set(rules_customers({"none": [condition]}, now=NOW)) == {planned, stranger}
    other = {**condition, "where": [{"property": "dispatch", "op": "is_not", "value": dispatch.pk}]}
    assert set(rules_customers({"all": [other]}, now=NOW)) == set()


def test_segments_that_multiply_are_refused_in_words(in_saffron: Cast) -> None:
    def mentioning(name: str, segments: list[Segment]) -> Segment:
        return Segment.objects.create(name=name, rules={"any": [{"segment": one.pk, "op": "in"} for one in segments]})

    leaves = [Segment.objects.create(name=f"Leaf {number}", rules=RICH) for number in range(30)]
    middle = [mentioning(f"Middle {number}", leaves) for number in range(30)]
    assert segment_customers(mentioning("Many", middle), now=NOW).count() == 0
    top = mentioning("Top", [mentioning(f"Upper {number}", middle) for number in range(30)])
    with pytest.raises(RulesError, match="this asks more than 5000 conditions"):
        segment_customers(top, now=NOW)


def test_a_segment_that_others_lead_to_may_not_lead_further_than_they_may(in_saffron: Cast) -> None:
    last, deeper = (Segment.objects.create(name=name, rules=RICH) for name in ("Last", "Deeper"))
    free = Segment.objects.create(name="Free", rules=RICH)
    chain = last
    for number in range(5):
        chain = Segment.objects.create(name=f"Step {number}", rules={"all": [{"segment": chain.pk, "op": "in"}]})
    assert segment_customers(chain, now=NOW).count() == 0
    with pytest.raises(RulesError, match="through too many steps"):
        read_rules({"all": [{"segment": deeper.pk, "op": "in"}]}, editing=last)
    read_rules({"all": [{"segment": deeper.pk, "op": "in"}]}, editing=free)


def test_categories_and_services_are_found_however_their_letters_were_typed(in_saffron: Cast) -> None:
    customer = CustomerFactory()
    record_purchase(lines=[NewLine(100, category="كوتاهي  مو")], purchased_at=NOW, now=NOW, actor=SYSTEM, customer=customer)
    book_visit(customer=customer, starts_at=NOW, actor=SYSTEM, now=NOW, service="رنگ مشكي", state=VisitState.COMPLETED)
    asked = [("purchase.completed", "categories", "any_of", ["كوتاهي مو"]), ("visit.completed", "service", "is", "رنگ مشکی")]
    for kind, name, operator, value in asked:
        rules = {"all": [{"event": kind, "where": [{"property": name, "op": operator, "value": value}]}]}
        assert list(rules_customers(rules, now=NOW + timedelta(days=1))) == [customer]
