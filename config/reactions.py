"""What happens because something happened: one table from event kind to its handlers, in order.

A handler is an action that takes a batch of events of its kinds; it must bear seeing the batch again. Each handler
reads the log with a cursor of its own, so that one which fails holds up no other.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import closing

from accounts.tenancy import tenant
from campaigns.actions.following import follow_completions
from campaigns.attribution import attribute
from crm.events import unread_events
from crm.models import Event
from loyalty.actions.following import follow_events
from loyalty.actions.referral_rewards import follow_referrals
from loyalty.actions.stamping import follow_stamps
from loyalty.actions.tiers import follow_tiers

logger = logging.getLogger(__name__)
Handler = Callable[[Sequence[Event]], object]
ANY_KIND = "*"
REACTIONS: dict[str, tuple[Handler, ...]] = {
    "purchase.completed": (attribute, follow_tiers, follow_stamps, follow_referrals),
    "purchase.refunded": (attribute, follow_tiers, follow_stamps, follow_referrals),
    "visit.completed": (follow_tiers, follow_stamps),
    "points.earned": (follow_tiers,),
    "points.clawed_back": (follow_tiers,),
    "points.cancelled": (follow_tiers,),
    "points.given_back": (follow_tiers,),
    "referral.joined": (follow_referrals,),
    "message.opened": (attribute,),
    "message.clicked": (attribute,),
    "message.revisited": (attribute,),
    "dispatch.completed": (follow_completions,),
    # Earn rules may name any event.
    ANY_KIND: (follow_events,),
}
BATCH = 1_000
# A batch of earnings holds its members' wallets until its end, and somebody may stand at a till: 200 sales held them for
# 0.9 s, 20 for 0.1 s, and all of them together take a sixth longer.
SHORT_BATCHES: dict[Handler, int] = {follow_events: 20}


def react(*, organization_id: int) -> int:
    """Hand every handler what is new in an organization's log; returns how many events were handed out.

    One batch is one transaction: what a killed worker had done stays done, and the rest is handed out again.
    """
    handed = 0
    for handler, kinds in _readers().items():
        try:
            handed += _hand_out(organization_id, handler, kinds)
        except Exception:
            logger.exception("organization %s: %s failed and will see its events again", organization_id, consumer_of(handler))
    return handed


def consumer_of(handler: Handler) -> str:
    """The name under which a handler's cursor is kept."""
    return f"{handler.__module__}.{handler.__qualname__}"[:60]


def _readers() -> dict[Handler, frozenset[str]]:
    found: dict[Handler, set[str]] = {}
    for kind, handlers in REACTIONS.items():
        for handler in handlers:
            found.setdefault(handler, set()).add(kind)
    return {handler: frozenset(kinds) for handler, kinds in found.items()}


def _hand_out(organization_id: int, handler: Handler, kinds: frozenset[str]) -> int:
    handed, has_more = 0, True
    while has_more:
        # Closed before the scope is left, whatever happens: a batch holds a savepoint.
        with tenant(organization_id), closing(unread_events(consumer_of(handler), limit=SHORT_BATCHES.get(handler, BATCH))) as batches:
            batch = next(batches, None)
            if batch is None:
                return handed
            wanted = [event for event in batch if event.kind in kinds or ANY_KIND in kinds]
            if wanted:
                handler(wanted)
            handed += len(wanted)
            # Asking for the next batch moves the cursor past this one; closing gives the next one back.
            has_more = next(batches, None) is not None
    return handed
