"""Whether every message is accounted for: the ledger against what really arrived."""

from collections import Counter
from dataclasses import dataclass

from accounts.tenancy import tenant
from config.demo.inbox.store import Store
from messaging.models import Delivery, DeliveryState, Dispatch
from messaging.tracking.keys import token_reader

WAITING = frozenset([DeliveryState.PLANNED, DeliveryState.RETRYING])


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger of one dispatch beside the inbox.

    ``missing`` were marked as sent and did not arrive; ``unexpected`` arrived and were not marked; ``twice`` arrived
    more than once. An uncertain message may have arrived or not: that is what uncertain means.
    """

    planned: int
    skipped: Counter[str]
    states: Counter[str]
    arrived: int
    missing: int
    unexpected: int
    twice: int

    @property
    def waiting(self) -> int:
        """Messages without a final state."""
        return sum(self.states[state] for state in WAITING)

    @property
    def balances(self) -> bool:
        """Every planned message has one final state, and the inbox holds exactly those that were sent."""
        return not (self.waiting or self.missing or self.unexpected or self.twice) and self.planned == sum(self.states.values())


def account_for(*, organization_id: int, dispatch_id: int, store: Store) -> Account:
    """Count the ledger of a dispatch and the messages of it in the inbox."""
    with tenant(organization_id):
        dispatch = Dispatch.objects.get(pk=dispatch_id)
        rows = list(Delivery.objects.filter(dispatch=dispatch).values_list("pk", "state", "reason", "sent_at"))
    arrived = _arrived(store, organization_id, {pk for pk, *_ in rows})
    sent = {pk for pk, _state, _reason, sent_at in rows if sent_at is not None}
    uncertain = {pk for pk, state, _reason, _sent_at in rows if state == DeliveryState.AMBIGUOUS}
    return Account(
        planned=dispatch.planned_count,
        skipped=Counter(reason for _pk, state, reason, _sent_at in rows if state == DeliveryState.SKIPPED),
        states=Counter(state for _pk, state, _reason, _sent_at in rows if state != DeliveryState.SKIPPED),
        arrived=sum(arrived.values()),
        missing=len(sent - uncertain - arrived.keys()),
        unexpected=len(arrived.keys() - sent - uncertain),
        twice=sum(count > 1 for count in arrived.values()),
    )


def _arrived(store: Store, organization_id: int, deliveries: set[int]) -> Counter[int]:
    reader = token_reader()
    refs = (reader.read_message_id(message_id) for message_id in store.message_ids())
    return Counter(ref.delivery_id for ref in refs if ref and ref.organization_id == organization_id and ref.delivery_id in deliveries)
