"""Bounces and complaints are taken in once, and their addresses never written to again."""

from datetime import UTC, datetime

import pytest

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from crm.models import Channel
from messaging.actions.suppressing import lift_suppression, record_bounce, record_complaint, suppress_address
from messaging.models import Delivery, DeliveryState, Dispatch, Suppression, SuppressionReason
from tests.conftest import Cast
from tests.messaging.tracking_stage import SentMessage, sent_message

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.fixture
def message(in_saffron: Cast) -> SentMessage:
    return sent_message(in_saffron.saffron.pk)


def suppressed() -> list[tuple[str, str, str]]:
    return list(Suppression.objects.values_list("channel", "address", "reason"))


def test_a_permanent_bounce_suppresses_once(message: SentMessage) -> None:
    delivery = message.delivery()
    assert [record_bounce(delivery=delivery, is_permanent=True, detail="550 5.1.1 unknown", now=NOW) for _ in range(3)] == [
        True,
        False,
        False,
    ]
    delivery = message.delivery()
    assert (delivery.state, delivery.reason, delivery.bounced_at, delivery.detail) == (
        "bounced",
        "no_such_address",
        NOW,
        "550 5.1.1 unknown",
    )
    assert suppressed() == [("email", delivery.address, "bounce")]
    about = {"delivery": delivery.pk, "dispatch": message.dispatch_id, "permanent": True}
    assert message.events("message.bounced") == [("message.bounced", delivery.customer_id, about)]
    assert AuditEntry.objects.filter(action="suppression.created").count() == 1


def test_a_temporary_bounce_suppresses_nobody(message: SentMessage) -> None:
    assert record_bounce(delivery=message.delivery(), is_permanent=False, detail="mailbox full", now=NOW)
    assert (message.delivery().state, message.delivery().reason, suppressed()) == ("bounced", "temporary", [])


@pytest.mark.parametrize("state", [DeliveryState.PLANNED, DeliveryState.SKIPPED, DeliveryState.FAILED, DeliveryState.RETRYING])
def test_what_never_left_cannot_come_back(message: SentMessage, state: DeliveryState) -> None:
    delivery = message.delivery()
    Delivery.objects.filter(pk=delivery.pk).update(state=state)
    assert not record_bounce(delivery=delivery, is_permanent=True, detail="", now=NOW)
    assert (message.delivery().state, suppressed(), message.events("message.bounced")) == (state, [], [])


def test_a_complaint_ends_consent_and_suppresses(message: SentMessage) -> None:
    delivery = message.delivery()
    assert [record_complaint(delivery=delivery, detail="abuse", now=NOW) for _ in range(2)] == [True, False]
    assert message.delivery().complained_at == NOW
    assert suppressed() == [("email", delivery.address, "complaint")]
    assert message.consents() == {("email", "marketing"): "withdrawn"}
    assert len(message.events("message.complained")) == 1


def test_an_address_is_on_the_list_once_however_it_is_written(in_saffron: Cast) -> None:
    def put(address: str) -> bool:
        return suppress_address(channel=Channel.EMAIL, address=address, reason=SuppressionReason.MANUAL, actor=in_saffron.alice_acts)

    assert [put("Bob@Example.com "), put("bob@example.com")] == [True, False]
    lift_suppression(suppression=Suppression.objects.get(), actor=in_saffron.alice_acts)
    assert suppressed() == []
    actions = AuditEntry.objects.filter(action__startswith="suppression").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["suppression.created", "suppression.deleted"]


def test_lists_of_organizations_are_apart(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        suppress_address(channel=Channel.EMAIL, address="a@example.com", reason=SuppressionReason.MANUAL, actor=cast.alice_acts)
    with tenant(cast.rival.pk):
        assert suppressed() == []


def test_a_bounce_ends_the_uncertainty_about_a_message(message: SentMessage) -> None:
    delivery = message.delivery()
    Delivery.objects.filter(pk=delivery.pk).update(state=DeliveryState.AMBIGUOUS)
    Dispatch.objects.filter(pk=message.dispatch_id).update(sent_count=4, ambiguous_count=1)
    assert [record_bounce(delivery=delivery, is_permanent=True, detail="", now=NOW) for _ in range(2)] == [True, False]
    assert Dispatch.objects.values_list("sent_count", "ambiguous_count").get(pk=message.dispatch_id) == (5, 0)


@pytest.mark.parametrize(
    ("channel", "typed", "listed"),
    [
        (Channel.EMAIL, " Info@Müller.de ", "info@xn--mller-kva.de"),
        (Channel.EMAIL, "ann\u200b@example.com", "ann@example.com"),
        (Channel.EMAIL, "Nobody At All", "nobody at all"),
        (Channel.SMS, "(202) 555-0125", "+12025550125"),
    ],
)
def test_an_address_is_listed_as_customers_are_kept(in_saffron: Cast, channel: Channel, typed: str, listed: str) -> None:
    assert suppress_address(channel=channel, address=typed, reason=SuppressionReason.MANUAL, actor=in_saffron.alice_acts)
    assert suppressed() == [(str(channel), listed, "manual")]
    assert not suppress_address(channel=channel, address=listed, reason=SuppressionReason.MANUAL, actor=in_saffron.alice_acts)
