"""The socket for what other apps do about a new receipt in its own transaction, and say in the answer to the call.

An app registers in an ``answers`` module of its own, which ``CrmConfig.ready`` imports. The answer to a purchase or a
refund then has one more field; should the app fail, the receipt is undone with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rest_framework.serializers import Serializer

from accounts.audit import Actor
from crm.models import Purchase


@dataclass(frozen=True, slots=True)
class PurchaseAnswer:
    """A field of the answer: the list that ``act`` returns for a new receipt, each item shown by ``serializer``."""

    name: str
    act: Callable[[Purchase, Actor, datetime], list[Any]]
    serializer: type[Serializer[Any]]


_answers: list[PurchaseAnswer] = []


def register_purchase_answer(answer: PurchaseAnswer) -> None:
    """Let an app act on new receipts."""
    _answers.append(answer)


def purchase_answers() -> tuple[PurchaseAnswer, ...]:
    """All that are registered."""
    return tuple(_answers)


def act_on_purchase(purchase: Purchase, *, actor: Actor, now: datetime) -> dict[str, list[Any]]:
    """Let everybody act on a new receipt; what they say, by field."""
    return {answer.name: answer.act(purchase, actor, now) for answer in _answers}
