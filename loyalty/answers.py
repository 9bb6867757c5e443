"""What a purchase earned, or a refund took back, in the answer to the call itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.audit import Actor
from crm.answers import PurchaseAnswer, register_purchase_answer
from crm.models import Purchase
from loyalty.actions.accrual import accrue_receipts
from loyalty.actions.clawbacks import ClawedBack
from loyalty.actions.earning import Earned, lock_all
from loyalty.actions.restoring import TILL, restore_points
from loyalty.models import Member, Wallet
from loyalty.queries.programs import TermsBook


@dataclass(frozen=True, slots=True)
class Accrual:
    """What a receipt did in one program, and the wallet after it."""

    wallet: Wallet
    earned: int
    clawed_back: int
    rules: dict[str, int]


class AccrualOutput(serializers.Serializer[Any]):
    program = serializers.IntegerField(source="wallet.member.program_id")
    points_name = serializers.CharField(source="wallet.member.program.points_name")
    member = serializers.IntegerField(source="wallet.member_id")
    member_number = serializers.CharField(source="wallet.member.number")
    earned = serializers.IntegerField()
    clawed_back = serializers.IntegerField(help_text=_("Less than nothing: given back, since a refund was of another sale."))
    rules = serializers.DictField(child=serializers.IntegerField(), help_text=_("Points by the key of the rule that earned them."))
    balance = serializers.IntegerField(source="wallet.balance")
    held = serializers.IntegerField(source="wallet.held")
    pending = serializers.IntegerField(source="wallet.pending")
    debt = serializers.IntegerField(source="wallet.debt")


def accrue(purchase: Purchase, actor: Actor, now: datetime) -> list[Accrual]:
    """Give back the points that paid for what a refund gives back, and accrue the receipt; what it did in each program its customer is a member of."""
    if purchase.customer_id is None:
        return []
    if purchase.refund_of_id and purchase.source != TILL:  # the till gives back what it was asked to
        lock_all(TermsBook(), [purchase.customer_id], is_refund=True)  # what the refund takes back comes after
        restore_points(refund=purchase, key=f"refund:{purchase.pk}", now=now, actor=actor)
    done = accrue_receipts([purchase], now=now, actor=actor)
    wallets = Wallet.objects.select_related("member__program").order_by("member_id")
    shown = list(wallets.filter(member__customer_id=purchase.customer_id, member__is_active=True))
    holders = {wallet.member_id: wallet.member_id for wallet in shown}
    # A membership that moved: whoever holds its points is told of.
    elsewhere = Member.objects.filter(pk__in={one.member_id for one in done} - holders.keys()) if done else ()
    holders |= {member.pk: member.holder.pk for member in elsewhere}
    shown += wallets.filter(member__in=set(holders.values()) - {wallet.member_id for wallet in shown}) if elsewhere else ()
    return [_accrual(wallet, [one for one in done if holders[one.member_id] == wallet.member_id]) for wallet in shown]


def _accrual(wallet: Wallet, done: list[Earned | ClawedBack]) -> Accrual:
    earned = [one for one in done if isinstance(one, Earned)]
    rules = {key: points for one in earned for key, points in one.points.items()}
    clawed_back = sum(one.points for one in done if isinstance(one, ClawedBack))
    return Accrual(wallet, sum(rules.values()), clawed_back, rules)


register_purchase_answer(PurchaseAnswer("loyalty", accrue, AccrualOutput))
