"""Which step a campaign may take in which state, and which touch of a customer a purchase counts for. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Step(StrEnum):
    """What people, or the product itself, do with a campaign."""

    CHANGE = "change"
    SCHEDULE = "schedule"
    UNSCHEDULE = "unschedule"
    LAUNCH = "launch"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    DELETE = "delete"
    COMPLETE = "complete"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Transition:
    """From which states a step leads to which; ``None`` leaves the state as it is."""

    sources: frozenset[str]
    target: str | None


TRANSITIONS: dict[Step, Transition] = {
    Step.CHANGE: Transition(frozenset({"draft"}), None),
    Step.SCHEDULE: Transition(frozenset({"draft"}), "scheduled"),
    Step.UNSCHEDULE: Transition(frozenset({"scheduled"}), "draft"),
    Step.LAUNCH: Transition(frozenset({"draft", "scheduled"}), "running"),
    Step.PAUSE: Transition(frozenset({"running"}), "paused"),
    Step.RESUME: Transition(frozenset({"paused"}), "running"),
    Step.CANCEL: Transition(frozenset({"scheduled", "running", "paused"}), "cancelled"),
    # Only what was never launched; the statement that deletes looks at that too.
    Step.DELETE: Transition(frozenset({"draft", "scheduled", "cancelled", "failed"}), None),
    Step.COMPLETE: Transition(frozenset({"running", "paused"}), "completed"),
    Step.FAIL: Transition(frozenset({"scheduled", "running", "paused"}), "failed"),
}


def steps_from(state: str, *, goes_on_by_itself: bool = False) -> frozenset[Step]:
    """The steps that a campaign in this state may take; a pause that ends by itself can be made one that does not."""
    steps = frozenset(step for step, transition in TRANSITIONS.items() if state in transition.sources)
    return steps | {Step.PAUSE} if goes_on_by_itself and Step.RESUME in steps else steps


@dataclass(frozen=True, slots=True)
class Touch:
    """A customer clicked in or opened a message of a campaign; people only."""

    campaign_id: int
    delivery_id: int
    is_click: bool
    at: datetime
    window: timedelta


def counting_touch(touches: Iterable[Touch], purchased_at: datetime) -> Touch | None:
    """The touch a purchase counts for: the last click before it, else the last open, each within its campaign's window."""
    within = [touch for touch in touches if touch.at <= purchased_at <= touch.at + touch.window]
    return max(within, key=lambda touch: (touch.is_click, touch.at, touch.delivery_id), default=None)
