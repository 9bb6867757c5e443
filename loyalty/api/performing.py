"""What a till can do, asked at once or out of its queue: each kind with what it is asked and what it answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import BaseSerializer

from accounts.api.fields import Input
from accounts.audit import Actor
from loyalty.actions.holds import capture_hold, release_hold
from loyalty.actions.points import redeem_points
from loyalty.actions.rewards import redeem_reward, reserve_reward
from loyalty.actions.till import Back, check_smallest, hold_at_till, redemption_rate, refund_sale, sell, undo_at_till
from loyalty.actions.vouchers import use_voucher
from loyalty.api.inputs import (
    HoldInput,
    MemberUndoInput,
    OfHoldInput,
    PartOfHoldInput,
    RedeemOfMemberInput,
    RewardOfMemberInput,
    SaleInput,
    TillRefundInput,
    UseVoucherInput,
)
from loyalty.api.outputs import HeldOutput, ReceiptOutput, RefundedOutput, RewardReceiptOutput, SoldOutput, VoucherOutput
from loyalty.models import Hold, Wallet
from loyalty.queries.programs import terms_in_force

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class By:
    """Who asks, under which key of the ledger, and when it happened."""

    actor: Actor
    key: str
    now: datetime
    at: datetime

    @property
    def signed(self) -> dict[str, Any]:
        return {"key": self.key, "now": self.now, "actor": self.actor}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of operation is asked, and who does it and answers."""

    asked: type[Input]
    perform: Callable[[Values, By], dict[str, Any]]


def do_sale(values: Values, by: By) -> dict[str, Any]:
    rest = {name: value for name, value in values.items() if name not in ("hold", "purchased_at")}
    sold = sell(**by.signed, hold_id=values.get("hold"), purchased_at=values.get("purchased_at", by.at), **rest)
    sold.purchase.answers = sold.answers  # type: ignore[attr-defined]  # for the serializer
    member = values.get("member")
    wallet = Wallet.objects.get(member=member) if member else None
    return _shown(SoldOutput, {"purchase": sold.purchase, "paid": sold.paid, "wallet": wallet})


def do_refund(values: Values, by: By) -> dict[str, Any]:
    rest = {name: values[name] for name in ("amount_minor", "points", "number") if name in values}
    lines = [Back(**line) for line in values.get("lines", ())]
    done = refund_sale(**by.signed, sale=values["purchase"], lines=lines, refunded_at=values.get("refunded_at", by.at), **rest)
    done.refund.answers = done.answers  # type: ignore[attr-defined]  # for the serializer
    return _shown(RefundedOutput, done)


def do_hold(values: Values, by: By) -> dict[str, Any]:
    member, minutes = values["member"], values["minutes"]
    if reward := values.get("reward"):
        lapses_at = by.now + timedelta(minutes=minutes)
        done = reserve_reward(**by.signed, member_id=member.pk, reward_id=reward.pk, lapses_at=lapses_at)
        receipt, hold_id = done.receipt, done.receipt.entry_id
    else:
        receipt, hold_id = hold_at_till(**by.signed, member=member, points=values["points"], minutes=minutes, occurred_at=by.at)
    return _shown(HeldOutput, {"hold": Hold.objects.get(pk=hold_id), "receipt": receipt})


def do_capture(values: Values, by: By) -> dict[str, Any]:
    hold: Hold = values["hold"]
    receipt = capture_hold(**by.signed, member_id=hold.member_id, hold_id=hold.pk, amount=values.get("points"), occurred_at=by.at)
    return _shown(ReceiptOutput, receipt)


def do_release(values: Values, by: By) -> dict[str, Any]:
    hold: Hold = values["hold"]
    return _shown(ReceiptOutput, release_hold(**by.signed, member_id=hold.member_id, hold_id=hold.pk, occurred_at=by.at))


def do_redeem(values: Values, by: By) -> dict[str, Any]:
    member, points, reason = values["member"], values["points"], values["reason"]
    check_smallest(points, redemption_rate(terms_in_force(member.program_id, by.at)))
    receipt = redeem_points(**by.signed, member_id=member.pk, amount=points, reason=reason, occurred_at=by.at)
    return _shown(ReceiptOutput, receipt)


def do_undo(values: Values, by: By) -> dict[str, Any]:
    undone = {"member": values["member"], "entry_id": values["entry"], "points": values.get("points")}
    receipt = undo_at_till(**by.signed, **undone, occurred_at=by.at)
    return _shown(ReceiptOutput, receipt)


def do_reward(values: Values, by: By) -> dict[str, Any]:
    member, reward = values["member"], values["reward"]
    done = redeem_reward(**by.signed, member_id=member.pk, reward_id=reward.pk, reason=values["reason"], occurred_at=by.at)
    return _shown(RewardReceiptOutput, done)


def do_voucher(values: Values, by: By) -> dict[str, Any]:
    location_id = values["location"].pk if values.get("location") else None
    voucher = use_voucher(**by.signed, code=values["code"], paid_minor=values["paid_minor"], location_id=location_id, occurred_at=by.at)
    return _shown(VoucherOutput, voucher)


KINDS: dict[str, Kind] = {
    "sale": Kind(SaleInput, do_sale),
    "refund": Kind(TillRefundInput, do_refund),
    "hold": Kind(HoldInput, do_hold),
    "capture": Kind(PartOfHoldInput, do_capture),
    "release": Kind(OfHoldInput, do_release),
    "redeem": Kind(RedeemOfMemberInput, do_redeem),
    "undo": Kind(MemberUndoInput, do_undo),
    "reward": Kind(RewardOfMemberInput, do_reward),
    "voucher": Kind(UseVoucherInput, do_voucher),
}


def _shown(kind: type[BaseSerializer[Any]], instance: Any) -> dict[str, Any]:
    """The answer as plain JSON, as it may be kept."""
    shown: dict[str, Any] = json.loads(JSONRenderer().render(_output(kind).to_representation(instance)))  # type: ignore[arg-type]  # classes are hashable
    return shown


@cache
def _output(kind: type[BaseSerializer[Any]]) -> BaseSerializer[Any]:
    # Its fields are worked out once: doing so takes longer than writing the answer.
    return kind()
