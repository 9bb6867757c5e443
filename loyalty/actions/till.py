"""Sales and refunds at the till, with the points that pay for them: each one transaction, identified by its key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from accounts.audit import Actor
from accounts.models import Location, Membership
from crm.actions import NewLine, record_purchase, refund_lines, refund_moment
from crm.answers import act_on_purchase
from crm.models import Customer, Purchase, PurchaseLine
from loyalty.actions.earning import lock_all
from loyalty.actions.holds import capture_hold, hold_of, hold_points
from loyalty.actions.points import NotUndoableError, redeem_points, undo_redemption
from loyalty.actions.restoring import TILL, goods_back, restore_points
from loyalty.ledger.families import entry_of
from loyalty.ledger.posting import Receipt
from loyalty.models import EntryKind, Member, Voucher
from loyalty.queries.programs import TermsBook, Version, terms_in_force
from loyalty.refusals import TillRefusedError, fewer_than_smallest, worth_more_than_goods
from loyalty.rules.terms import Redemption
from loyalty.rules.till import POINTS_CODE, share_back, worth_minor


class OnReceipt(TypedDict, total=False):
    """What else a receipt tells (see ``record_purchase``)."""

    number: str
    payment_method: str
    location: Location | None
    staff: Membership | None
    currency: str


@dataclass(frozen=True, slots=True)
class Paid:
    """Points that paid for a part of a sale."""

    points: int
    minor: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Sold:
    """A sale, the points that paid for it, and what the apps above did about it (see ``crm.answers``)."""

    purchase: Purchase
    paid: Paid | None
    answers: dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Back:
    """Pieces of a line of the sale that come back; lines count from 1."""

    line: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund: the receipt with the money, the points that were given back, and what the apps above did about it."""

    refund: Purchase
    restored: int
    answers: dict[str, list[Any]]


def hold_at_till(
    *, member: Member, points: int, minutes: int, key: str, now: datetime, actor: Actor, occurred_at: datetime | None = None
) -> tuple[Receipt, int]:
    """Reserve points for a sale that is being rung up; returns the receipt and the hold's id.

    Raises:
        TillRefusedError: fewer than may be redeemed.
        InsufficientPointsError, PointsError, KeyReusedError: see ``hold_points``.
    """
    check_smallest(points, redemption_rate(terms_in_force(member.program_id, occurred_at or now)))
    lapses_at = now + timedelta(minutes=minutes)
    return hold_points(member_id=member.pk, amount=points, lapses_at=lapses_at, key=key, now=now, actor=actor, occurred_at=occurred_at)


@transaction.atomic
def sell(
    *,
    lines: Sequence[NewLine],
    key: str,
    now: datetime,
    actor: Actor,
    member: Member | None = None,
    customer: Customer | None = None,
    points: int = 0,
    hold_id: int | None = None,
    purchased_at: datetime | None = None,
    **receipt: Unpack[OnReceipt],
) -> Sold:
    """Record a sale, redeem what pays for it, and let it earn.

    Args:
        points: to be spent: of ``hold_id`` where there is one, which is spent whole when no number is given.

    Raises:
        TillRefusedError: fewer points than may be redeemed, or worth more than the goods.
        HoldResolvedError, CaptureError: see ``capture_hold``.
        InsufficientPointsError, PointsError, KeyReusedError: see ``redeem_points``.
        ValidationError: see ``record_purchase``.
    """
    at, buyer = purchased_at or now, member.customer if member else customer
    payment = _payment(member, points, hold_id, lines, min(at, now)) if member else None
    paying = payment.lines if payment else ()
    purchase = record_purchase(lines=[*lines, *paying], purchased_at=at, now=now, actor=actor, customer=buyer, source=TILL, **receipt)
    paid = payment.spend(purchase, key=key, at=min(at, now), now=now, actor=actor) if payment else None
    return Sold(purchase, paid, act_on_purchase(purchase, actor=actor, now=now))


@transaction.atomic
def refund_sale(
    *,
    sale: Purchase,
    key: str,
    now: datetime,
    actor: Actor,
    lines: Sequence[Back] = (),
    goods: Sequence[NewLine] = (),
    amount_minor: int = 0,
    points: int | None = None,
    refunded_at: datetime | None = None,
    number: str = "",
) -> Refunded:
    """Give goods of a sale back, with the points that paid for their share and without those they had earned.

    Args:
        goods: that come back with a product and a price, without naming their lines.
        amount_minor: of goods that come back without naming anything.
        points: to give back; in proportion to the goods when ``None``.

    Raises:
        ValidationError: see ``refund_lines``, or a line that the sale does not have.
        NotUndoableError: fewer points are left of what was redeemed.
    """
    sale = Purchase.objects.select_for_update(of=("self",)).get(pk=sale.pk)
    sold = list(sale.lines.order_by("pk"))
    paying = next((line for line in sold if line.product_code == POINTS_CODE), None)
    bought = [line for line in sold if line is not paying]
    unnamed = [NewLine(-amount_minor, description=_("Refund of %(number)s") % {"number": sale})] if amount_minor else []
    back = [*goods, *(_line_back(bought, one) for one in lines), *unnamed]
    goods_minor = sum(line.amount_minor for line in bought)
    back_minor = goods_back(sale, paying) - sum(line.amount_minor for line in back)
    if paying and (due := share_back(-paying.amount_minor, back_minor=back_minor, goods_minor=goods_minor) - _discount_back(paying)) > 0:
        back.append(NewLine(due, product_code=POINTS_CODE, description=paying.description, refund_of_id=paying.pk))
    at = refund_moment(sale, refunded_at or now)
    refund = refund_lines(purchase=sale, lines=back, refunded_at=at, actor=actor, number=number, source=TILL)
    if sale.customer_id:
        lock_all(TermsBook(), [sale.customer_id], is_refund=True)  # what the refund takes back comes after
    restored = restore_points(refund=refund, points=points, key=key, now=now, actor=actor)
    return Refunded(refund, restored, act_on_purchase(refund, actor=actor, now=now))


def undo_at_till(
    *, member: Member, entry_id: int, key: str, now: datetime, actor: Actor, points: int | None = None, occurred_at: datetime | None = None
) -> Receipt:
    """Undo a redemption, or ``points`` of it.

    What was taken is given back at the counter: within the role's limit, which a till's queue does not know.

    Raises:
        NotUndoableError: points that were taken, or see ``undo_redemption``.
        VoucherNotOpenError, PriceError, KeyReusedError: see ``undo_redemption``.
    """
    entry = entry_of(member, entry_id)
    if entry and entry.kind == EntryKind.TAKE:
        raise NotUndoableError(entry_id)
    owner = entry.member if entry else member
    return undo_redemption(member_id=owner.pk, entry_id=entry_id, amount=points, key=key, now=now, actor=actor, occurred_at=occurred_at)


def redemption_rate(version: Version | None) -> Redemption:
    """What points are worth by the terms in force.

    Raises:
        TillRefusedError: there are none.
    """
    if version is None:
        raise TillRefusedError(_("The program has no terms that hold then."), code="no_terms")
    return version.terms.redemption


def check_smallest(points: int, rate: Redemption) -> None:
    """Refuse to redeem fewer points than the terms allow."""
    if points < rate.smallest:
        raise fewer_than_smallest(rate.smallest)


@dataclass(frozen=True, slots=True)
class _Payment:
    """Points that are to pay for a sale, of a hold where one is named, and what they are worth."""

    member: Member
    points: int
    minor: int
    hold_id: int | None
    book: TermsBook

    @property
    def lines(self) -> list[NewLine]:
        return [NewLine(-self.minor, product_code=POINTS_CODE, description=_("Paid with points"))] if self.minor else []

    def spend(self, purchase: Purchase, *, key: str, at: datetime, now: datetime, actor: Actor) -> Paid:
        lock_all(self.book, [self.member.customer_id])  # what the sale earns comes after
        if self.hold_id is None:
            spending = partial(redeem_points, key=f"{key}:redeem")
        else:
            spending = partial(capture_hold, hold_id=self.hold_id, key=f"{key}:capture")
        receipt = spending(member_id=self.member.pk, amount=self.points, occurred_at=at, purchase_id=purchase.pk, now=now, actor=actor)
        return Paid(self.points, self.minor, receipt)


def _payment(member: Member, points: int, hold_id: int | None, lines: Sequence[NewLine], at: datetime) -> _Payment | None:
    if hold_id is not None and not points:
        points = hold_of(member.pk, hold_id).amount
    if not points:
        return None
    book = TermsBook()
    minor = 0 if _is_of_reward(hold_id) else _worth(points, redemption_rate(book.in_force(member.program_id, at)), lines)
    return _Payment(member, points, minor, hold_id, book)


def _is_of_reward(hold_id: int | None) -> bool:
    """Whether a hold reserves a reward: its points are the price of the reward, not of the goods."""
    return hold_id is not None and Voucher.objects.filter(hold_id=hold_id).exists()


def _worth(points: int, rate: Redemption, lines: Sequence[NewLine]) -> int:
    check_smallest(points, rate)
    goods_minor = sum(line.amount_minor for line in lines)
    if (minor := worth_minor(points, rate)) > goods_minor:
        raise worth_more_than_goods(goods_minor * rate.points // rate.minor)
    return minor


def _line_back(goods: Sequence[PurchaseLine], back: Back) -> NewLine:
    if not 1 <= back.line <= len(goods) or not 1 <= back.quantity <= goods[back.line - 1].quantity:
        raise ValidationError({"lines": _("The sale has no such line, or not so many pieces of it.")})
    line = goods[back.line - 1]
    return NewLine(line.unit_price_minor, -back.quantity, line.product_code, line.description, line.category, line.pk)


def _discount_back(paying: PurchaseLine) -> int:
    return paying.refunds.aggregate(sum=Sum("amount_minor"))["sum"] or 0
