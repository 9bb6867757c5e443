"""Planning: everybody of the audience gets one row, planned or skipped with the first reason that applies."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Organization
from accounts.tenancy import tenant
from crm.models import Channel, Consent, ConsentState, Customer, Purpose
from messaging.models import Chunk, Delivery, DeliveryState, Dispatch, DispatchState, SkipReason, Suppression, SuppressionReason
from messaging.planning import Audience, Reach, decision_for, estimate_reach, plan_dispatch
from segmentation.queries import audience_customers
from tests.campaigns.worlds import NOW, make_delivery, make_dispatch, make_list, make_reachable
from tests.conftest import Cast
from tests.factories import CustomerFactory

pytestmark = pytest.mark.usefixtures("in_saffron")


def everybody(purpose: Purpose = Purpose.MARKETING, channel: Channel = Channel.EMAIL, **values: object) -> Audience:
    return Audience(channel, purpose, Customer.objects.all(), **values)  # type: ignore[arg-type]


def plan(audience: Audience, dispatch: Dispatch | None = None, **values: int) -> Reach | None:
    return plan_dispatch(dispatch_id=(dispatch or make_dispatch()).pk, audience=audience, now=NOW, **values)


def fates() -> dict[str, tuple[str, str]]:
    return {row.customer.email: (row.state, row.reason) for row in Delivery.objects.select_related("customer")}


def suppress(customer: Customer) -> None:
    Suppression.objects.create(channel=Channel.EMAIL, address=customer.email, reason=SuppressionReason.BOUNCE)


def withdraw(customer: Customer) -> None:
    Consent.objects.filter(customer=customer).update(state=ConsentState.WITHDRAWN)


def take_address(customer: Customer) -> None:
    Customer.objects.filter(pk=customer.pk).update(email="")


REASONS: dict[SkipReason, Callable[[Customer], None]] = {
    SkipReason.NO_ADDRESS: take_address,
    SkipReason.WITHDRAWN: withdraw,
    SkipReason.NO_CONSENT: lambda customer: Consent.objects.filter(customer=customer).delete() and None,
    SkipReason.SUPPRESSED: suppress,
}


@pytest.mark.parametrize("reason", REASONS)
def test_who_cannot_be_sent_it_is_skipped_for_the_reason(reason: SkipReason) -> None:
    reached, skipped = make_reachable(), make_reachable()
    REASONS[reason](skipped)
    assert plan(everybody()) == Reach(1, {reason: 1})
    rows = Delivery.objects.values_list("customer_id", "address", "state", "reason")
    address = "" if reason == SkipReason.NO_ADDRESS else skipped.email
    assert list(rows) == [(reached.pk, reached.email, "planned", ""), (skipped.pk, address, "skipped", reason)]


def test_pending_consent_is_none() -> None:
    make_reachable(ConsentState.PENDING)
    assert plan(everybody()) == Reach(0, {SkipReason.NO_CONSENT: 1})


def test_consent_counts_for_its_purpose_and_channel_alone() -> None:
    make_reachable(purpose=Purpose.FEEDBACK)
    assert estimate_reach(everybody(Purpose.MARKETING), now=NOW) == Reach(0, {SkipReason.NO_CONSENT: 1})
    assert estimate_reach(everybody(Purpose.FEEDBACK), now=NOW) == Reach(1, {})
    assert estimate_reach(everybody(Purpose.FEEDBACK, Channel.SMS), now=NOW) == Reach(0, {SkipReason.NO_ADDRESS: 1})


def test_transactional_messages_need_no_consent_but_a_refusal_holds() -> None:
    CustomerFactory()
    make_reachable(ConsentState.WITHDRAWN, purpose=Purpose.TRANSACTIONAL)
    make_reachable(ConsentState.WITHDRAWN, purpose=Purpose.MARKETING)
    assert plan(everybody(Purpose.TRANSACTIONAL)) == Reach(2, {SkipReason.WITHDRAWN: 1})


def test_excluded_customers_stay_in_the_ledger_with_that_reason() -> None:
    reached, excluded, twice = make_reachable(), make_reachable(), make_reachable()
    exclusions = [Customer.objects.filter(pk__in=[excluded.pk, twice.pk]), Customer.objects.filter(pk=twice.pk), Customer.objects.none()]
    assert plan(everybody(excluded=exclusions)) == Reach(1, {SkipReason.EXCLUDED: 2})
    assert fates() == {reached.email: ("planned", ""), excluded.email: ("skipped", "excluded"), twice.email: ("skipped", "excluded")}


def test_customers_outside_the_audience_have_no_row() -> None:
    listed, _other = make_reachable(), make_reachable()
    audience = Audience(
        Channel.EMAIL,
        Purpose.MARKETING,
        audience_customers(included=[make_list("A", listed), make_list("B", listed)], excluded=[], now=NOW),
    )
    assert plan(audience) == Reach(1, {})
    assert list(Delivery.objects.values_list("customer_id", flat=True)) == [listed.pk]


def test_a_customer_whom_a_join_names_twice_has_one_row() -> None:
    customer = make_reachable()
    Consent.objects.create(customer=customer, channel=Channel.SMS, purpose=Purpose.MARKETING, state=ConsentState.GRANTED, changed_at=NOW)
    agreed = Customer.objects.filter(consents__state=ConsentState.GRANTED)
    assert agreed.count() == 2
    assert plan(Audience(Channel.EMAIL, Purpose.MARKETING, agreed)) == Reach(1, {})
    assert list(Delivery.objects.values_list("customer_id", flat=True)) == [customer.pk]


def test_nobody_in_the_audience_makes_no_rows_and_still_runs() -> None:
    dispatch = make_dispatch()
    assert plan(Audience(Channel.EMAIL, Purpose.MARKETING, Customer.objects.none()), dispatch) == Reach(0, {})
    dispatch.refresh_from_db()
    assert (dispatch.state, dispatch.planned_count, Chunk.objects.count()) == (DispatchState.RUNNING, 0, 0)


def test_of_two_who_share_a_mailbox_the_first_who_may_gets_it() -> None:
    refused = make_reachable(email="anna@example.org")
    withdraw(refused)
    first, second = make_reachable(email="Anna@example.org"), make_reachable(email="ANNA@example.org")
    assert plan(everybody()) == Reach(1, {SkipReason.DUPLICATE_ADDRESS: 1, SkipReason.WITHDRAWN: 1})
    assert fates() == {
        refused.email: ("skipped", "withdrawn"),
        first.email: ("planned", ""),
        second.email: ("skipped", "duplicate_address"),
    }


def test_a_query_with_percent_signs_is_read_as_it_is() -> None:
    make_reachable(first_name="100% Anna")
    make_reachable(first_name="Bea")
    audience = Audience(Channel.EMAIL, Purpose.MARKETING, Customer.objects.filter(first_name__contains="100%"))
    assert plan(audience) == Reach(1, {})


class TestFrequencyCap:
    @pytest.fixture(autouse=True)
    def cap(self, in_saffron: Cast) -> None:
        Organization.objects.filter(pk=in_saffron.saffron.pk).update(frequency_cap=2, frequency_cap_days=7)

    @pytest.mark.parametrize(
        ("days_ago", "state", "purpose", "is_capped"),
        [
            ([1, 6.99], DeliveryState.SENT, Purpose.MARKETING, True),
            ([1, 7.01], DeliveryState.SENT, Purpose.MARKETING, False),
            ([1], DeliveryState.SENT, Purpose.MARKETING, False),
            ([1, 2], DeliveryState.FAILED, Purpose.MARKETING, False),
            ([1, 2], DeliveryState.SKIPPED, Purpose.MARKETING, False),
            ([1, 2], DeliveryState.AMBIGUOUS, Purpose.MARKETING, True),
            ([1, 2], DeliveryState.SENT, Purpose.FEEDBACK, False),
        ],
    )
    def test_counts_what_was_sent_in_the_window(
        self, days_ago: list[float], state: DeliveryState, purpose: Purpose, is_capped: bool
    ) -> None:
        customer = make_reachable()
        for number, days in enumerate(days_ago):
            earlier = make_dispatch(f"Earlier {number}", purpose=purpose, state=DispatchState.RUNNING)
            make_delivery(earlier, customer, state=state, sent_at=NOW - timedelta(days=days))
        expected = Reach(0, {SkipReason.FREQUENCY_CAP: 1}) if is_capped else Reach(1, {})
        assert plan(everybody()) == expected

    def test_messages_that_wait_to_leave_count_too(self) -> None:
        make_reachable()
        reaches = [plan(everybody(), make_dispatch(f"Campaign {number}")) for number in range(3)]
        assert reaches == [Reach(1, {}), Reach(1, {}), Reach(0, {SkipReason.FREQUENCY_CAP: 1})]

    @pytest.mark.parametrize(
        ("state", "paused_days_ago", "delivery", "is_capped"),
        [
            (DispatchState.RUNNING, None, DeliveryState.PLANNED, True),
            (DispatchState.RUNNING, None, DeliveryState.RETRYING, True),
            (DispatchState.CANCELLED, None, DeliveryState.RETRYING, False),
            (DispatchState.PAUSED, 6, DeliveryState.PLANNED, True),
            (DispatchState.PAUSED, 8, DeliveryState.PLANNED, False),
        ],
    )
    def test_counts_what_is_still_to_be_sent_unless_it_was_given_up_or_forgotten(
        self, state: DispatchState, paused_days_ago: int | None, delivery: DeliveryState, is_capped: bool
    ) -> None:
        customer, paused_at = make_reachable(), NOW - timedelta(days=paused_days_ago) if paused_days_ago else None
        for number in range(2):
            waiting = make_dispatch(f"Waiting {number}", purpose=Purpose.MARKETING, state=state, paused_at=paused_at)
            make_delivery(waiting, customer, state=delivery)
        expected = Reach(0, {SkipReason.FREQUENCY_CAP: 1}) if is_capped else Reach(1, {})
        assert plan(everybody()) == expected

    def test_other_purposes_are_not_capped(self) -> None:
        make_reachable(purpose=Purpose.FEEDBACK)
        reaches = [plan(everybody(Purpose.FEEDBACK), make_dispatch(f"Survey {number}", purpose=Purpose.FEEDBACK)) for number in range(3)]
        assert reaches == [Reach(1, {})] * 3


def test_chunks_are_ranges_of_ids_that_hold_so_many_planned_rows() -> None:
    customers = [make_reachable() for _ in range(7)]
    withdraw(customers[1])
    withdraw(customers[4])
    dispatch = make_dispatch()
    assert plan(everybody(), dispatch, chunk_size=2) == Reach(5, {SkipReason.WITHDRAWN: 2})
    ids = list(Delivery.objects.order_by("customer_id").values_list("pk", flat=True))
    assert ids == sorted(ids)
    chunks = Chunk.objects.order_by("pk").values_list("dispatch_id", "first_id", "last_id", "done_through", "sending_through", "retry_ids")
    ranges = [(ids[0], ids[2]), (ids[3], ids[5]), (ids[6], ids[6])]
    assert list(chunks) == [(dispatch.pk, first, last, first - 1, first - 1, None) for first, last in ranges]


def test_the_dispatch_tells_the_counts_and_runs() -> None:
    make_reachable()
    withdraw(make_reachable())
    dispatch = make_dispatch()
    plan(everybody(), dispatch)
    dispatch.refresh_from_db()
    assert (dispatch.state, dispatch.started_at) == (DispatchState.RUNNING, NOW)
    assert (dispatch.planned_count, dispatch.skipped_count, dispatch.skipped_by_reason) == (1, 1, {"withdrawn": 1})


def test_planning_again_changes_nothing() -> None:
    make_reachable()
    dispatch = make_dispatch()
    assert plan(everybody(), dispatch) == Reach(1, {})
    make_reachable()
    assert plan(everybody(), dispatch) is None
    assert (Delivery.objects.count(), Chunk.objects.count()) == (1, 1)


@pytest.mark.parametrize("state", [state for state in DispatchState if state != DispatchState.PLANNING])
def test_only_a_dispatch_that_waits_for_its_plan_is_planned(state: DispatchState) -> None:
    make_reachable()
    assert plan(everybody(), make_dispatch(state=state)) is None
    assert Delivery.objects.count() == 0


def test_the_estimate_is_the_plan_and_writes_nothing() -> None:
    make_reachable()
    withdraw(make_reachable())
    CustomerFactory()
    assert estimate_reach(everybody(), now=NOW) == Reach(1, {SkipReason.NO_CONSENT: 1, SkipReason.WITHDRAWN: 1})
    assert Delivery.objects.count() == 0
    assert plan(everybody()) == Reach(1, {SkipReason.NO_CONSENT: 1, SkipReason.WITHDRAWN: 1})


def test_the_decision_for_one_customer_is_the_plan_s() -> None:
    reached, refused, outside = make_reachable(), make_reachable(), make_reachable()
    withdraw(refused)
    audience = Audience(Channel.EMAIL, Purpose.MARKETING, Customer.objects.exclude(pk=outside.pk))
    assert decision_for(reached, audience, now=NOW) == ""
    assert decision_for(refused, audience, now=NOW) == SkipReason.WITHDRAWN
    assert decision_for(outside, audience, now=NOW) is None


def test_suppressions_and_consents_of_another_organization_decide_nothing(cast: Cast) -> None:
    customer = make_reachable()
    connection.cursor().execute("select set_config('app.organization_id', %s, true)", [str(cast.rival.pk)])
    Suppression.objects.create(organization=cast.rival, channel=Channel.EMAIL, address=customer.email, reason=SuppressionReason.BOUNCE)
    connection.cursor().execute("select set_config('app.organization_id', %s, true)", [str(cast.saffron.pk)])
    with tenant(cast.saffron.pk):
        assert plan(everybody()) == Reach(1, {})


@dataclass(frozen=True)
class Person:
    """A customer in the words of the rules."""

    has_address: bool
    consent: ConsentState | None
    is_suppressed: bool
    is_excluded: bool

    def reason(self, purpose: Purpose) -> str:
        """What the rules say, in plain Python."""
        if self.is_excluded:
            return SkipReason.EXCLUDED
        if not self.has_address:
            return SkipReason.NO_ADDRESS
        if self.consent == ConsentState.WITHDRAWN:
            return SkipReason.WITHDRAWN
        if purpose != Purpose.TRANSACTIONAL and self.consent != ConsentState.GRANTED:
            return SkipReason.NO_CONSENT
        return SkipReason.SUPPRESSED if self.is_suppressed else ""


PEOPLE = st.lists(st.builds(Person, st.booleans(), st.sampled_from([None, *ConsentState]), st.booleans(), st.booleans()), max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=PEOPLE, purpose=st.sampled_from(list(Purpose)))
def test_the_statement_decides_as_the_rules_do(people: list[Person], purpose: Purpose) -> None:
    with transaction.atomic():
        expected, excluded = {}, []
        for person in people:
            customer = make_reachable(person.consent, purpose=purpose) if person.consent else CustomerFactory()
            if person.is_suppressed:
                suppress(customer)
            if not person.has_address:
                take_address(customer)
            excluded += [customer.pk] * person.is_excluded
            expected[customer.pk] = person.reason(purpose)
        plan(everybody(purpose, excluded=[Customer.objects.filter(pk__in=excluded)]), make_dispatch(purpose=purpose))
        assert dict(Delivery.objects.values_list("customer_id", "reason")) == expected
        transaction.set_rollback(True)
