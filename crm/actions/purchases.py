from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from accounts.audit import Actor, record_audit
from accounts.formats import format_number
from accounts.models import Location, Membership
from accounts.queries import current_organization
from accounts.refusals import StandingError
from crm.actions.moments import lies_ahead
from crm.events import NewEvent, append_event
from crm.facts import count_purchase
from crm.models import Customer, Purchase, PurchaseKind, PurchaseLine
from crm.normalisation import clean_text

MAX_LINES = 500


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line of a receipt; the amount is quantity × unit price, in minor units.

    ``refund_of_id`` is the line of the sale that comes back with it.
    """

    unit_price_minor: int
    quantity: int = 1
    product_code: str = ""
    description: str = ""
    category: str = ""
    refund_of_id: int | None = None

    @property
    def amount_minor(self) -> int:
        return self.quantity * self.unit_price_minor


@transaction.atomic
def record_purchase(
    *,
    lines: Sequence[NewLine],
    purchased_at: datetime,
    now: datetime,
    actor: Actor,
    customer: Customer | None = None,
    number: str = "",
    payment_method: str = "",
    location: Location | None = None,
    staff: Membership | None = None,
    source: str = "page",
    currency: str = "",
) -> Purchase:
    """Record a sale with its lines; without a customer it is anonymous.

    Raises:
        ValidationError: no lines, too many, less than nothing in sum, a currency that is not the organization's, a sale in the
            future, or a number that exists.
    """
    home = current_organization().currency
    if currency not in ("", home):
        raise ValidationError({"currency": _("Purchases of this organization are in %(currency)s.") % {"currency": home}})
    _check_sale(lines, purchased_at, now)
    purchase = Purchase(
        customer=customer,
        location=location,
        staff=staff,
        number=number,
        purchased_at=purchased_at,
        currency=home,
        total_minor=sum(line.amount_minor for line in lines),
        payment_method=payment_method,
        source=source,
    )
    return _save(purchase, lines, actor)


def _check_sale(lines: Sequence[NewLine], purchased_at: datetime, now: datetime) -> None:
    if not 1 <= len(lines) <= MAX_LINES:
        raise ValidationError({"lines": _("Give between 1 and %(most)s lines.") % {"most": format_number(MAX_LINES)}})
    if lies_ahead(purchased_at, now):
        raise ValidationError({"purchased_at": _("A sale cannot lie in the future.")})
    if sum(line.amount_minor for line in lines) < 0:
        raise ValidationError({"lines": _("A sale cannot come to less than nothing; goods that come back are a refund.")})


def refund_moment(sale: Purchase, at: datetime) -> datetime:
    """When a refund counts that is made at a moment: the clock of the till that sold may run ahead of this one's."""
    return max(at, sale.purchased_at)


@transaction.atomic
def refund_purchase(
    *, purchase: Purchase, amount_minor: int, refunded_at: datetime, actor: Actor, number: str = "", source: str = "page"
) -> Purchase:
    """Give back a part of a sale or all of it, as a receipt of its own.

    Raises:
        StandingError: not a sale.
        ValidationError: before it was made, or more than is left of it.
    """
    line = NewLine(unit_price_minor=-amount_minor, description=_("Refund of %(number)s") % {"number": purchase})
    return _refund(purchase, [line], "amount_minor", least=1, refunded_at=refunded_at, actor=actor, number=number, source=source)


@transaction.atomic
def refund_lines(
    *, purchase: Purchase, lines: Sequence[NewLine], refunded_at: datetime, actor: Actor, number: str = "", source: str = "page"
) -> Purchase:
    """Give back lines of a sale: goods with a negative quantity, amounts, and discounts that come back with them.

    Raises:
        StandingError: not a sale.
        ValidationError: before it was made, or more than is left of it or of a line.
    """
    return _refund(purchase, lines, "lines", least=0, refunded_at=refunded_at, actor=actor, number=number, source=source)


def _refund(
    purchase: Purchase, lines: Sequence[NewLine], field: str, *, least: int, refunded_at: datetime, actor: Actor, number: str, source: str
) -> Purchase:
    purchase = Purchase.objects.select_for_update(of=("self",)).get(pk=purchase.pk)
    if purchase.kind != PurchaseKind.SALE:
        raise StandingError(_("Only a sale can be refunded."), code="wrong_kind", kind=purchase.kind)
    if refunded_at < purchase.purchased_at:
        raise ValidationError({"refunded_at": _("A sale cannot be refunded before it was made.")})
    amount = -sum(line.amount_minor for line in lines)
    left = purchase.total_minor + (purchase.refunds.aggregate(total=Sum("total_minor"))["total"] or 0)
    if not least <= amount <= left:
        raise ValidationError({field: _("Between 1 and %(left)s can be refunded.") % {"left": left}})
    _check_pieces(purchase, lines)
    refund = Purchase(
        customer_id=purchase.customer_id,
        location_id=purchase.location_id,
        kind=PurchaseKind.REFUND,
        refund_of=purchase,
        number=number,
        purchased_at=refunded_at,
        currency=purchase.currency,
        total_minor=-amount,
        payment_method=purchase.payment_method,
        source=source,
    )
    return _save(refund, lines, actor)


def _check_pieces(purchase: Purchase, lines: Sequence[NewLine]) -> None:
    """No line gives back more pieces than are left of the sale's line, by this refund and the earlier ones together."""
    if not any(line.refund_of_id for line in lines):
        return
    sold = purchase.lines.annotate(back=Coalesce(Sum("refunds__quantity"), 0)).order_by()
    left = {key: quantity + back for key, quantity, back in sold.values_list("pk", "quantity", "back")}
    for line in lines:
        if line.refund_of_id:
            left[line.refund_of_id] = left.get(line.refund_of_id, 0) + line.quantity
            if left[line.refund_of_id] < 0:
                raise ValidationError({"lines": _("More pieces come back than are left of the sale.")})


def _save(purchase: Purchase, lines: Sequence[NewLine], actor: Actor) -> Purchase:
    purchase.validate(trusted=["customer", "location", "staff", "refund_of"])
    purchase.save(force_insert=True)
    PurchaseLine.objects.bulk_create(
        PurchaseLine(
            purchase=purchase,
            product_code=line.product_code,
            description=line.description,
            category=line.category,
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
            amount_minor=line.amount_minor,
            refund_of_id=line.refund_of_id,
        )
        for line in lines
    )
    count_purchase(purchase)
    verb = "refunded" if purchase.kind == PurchaseKind.REFUND else "completed"
    after = {"customer": purchase.customer_id, "total_minor": purchase.total_minor, "currency": purchase.currency}
    record_audit(action=f"purchase.{verb}", subject=purchase, actor=actor, after=after)
    append_event(_event(purchase, lines, verb))
    return purchase


def _event(purchase: Purchase, lines: Sequence[NewLine], verb: str) -> NewEvent:
    properties = {
        "purchase": purchase.pk,
        "total_minor": purchase.total_minor,
        "currency": purchase.currency,
        "payment_method": purchase.payment_method,
        "categories": sorted({clean_text(line.category) for line in lines if line.category}),
        "location": purchase.location_id,
    }
    return NewEvent(f"purchase.{verb}", purchase.purchased_at, purchase.customer_id, purchase.source, properties)
