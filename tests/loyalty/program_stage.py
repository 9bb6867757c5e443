"""A program with terms, its customers, and what they buy, in short."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from accounts.audit import SYSTEM
from accounts.models import Location
from crm.actions import NewLine, record_purchase, refund_purchase
from crm.models import Customer, Purchase, PurchaseKind, PurchaseLine, Visit, VisitState
from crm.models.customer import CustomerFacts
from loyalty.actions.accrual import accrue_purchases
from loyalty.actions.programs import activate_program, create_program, write_terms
from loyalty.ledger.verification import verify_ledger
from loyalty.models import Member, Program, Wallet
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import NOW

SALES: dict[str, Any] = {"key": "sales", "on": "amount", "points": 1, "per_minor": 1_000}
NUMBERS = count(1)
LONG_AGO = NOW - timedelta(days=4_000)


def open_program(slug: str = "points", **document: Any) -> Program:
    """An active program whose terms hold since long ago."""
    program = create_program(name=slug.title(), slug=slug, actor=SYSTEM)
    write_terms(program=program, document={"earn": [SALES]} | document, actor=SYSTEM, now=LONG_AGO)
    return activate_program(program=program, actor=SYSTEM, now=NOW)


@dataclass
class Shop:
    """One customer of a program; what is bought is accrued at once unless ``waits``."""

    program: Program
    customer: Customer = field(default_factory=CustomerFactory.create)
    now: datetime = NOW
    waits: bool = False

    def buy(
        self, *lines: tuple[str, int] | int, at: datetime | None = None, location: Location | None = None, category: str = ""
    ) -> Purchase:
        """A sale of lines: (product, price), or an amount alone."""
        named = [line if isinstance(line, tuple) else ("", line) for line in lines]
        new = [NewLine(unit_price_minor=price, product_code=product, category=category) for product, price in named]
        when, number = at or self.now, f"S{next(NUMBERS)}"
        purchase = record_purchase(
            lines=new, purchased_at=when, now=when, actor=SYSTEM, customer=self.customer, number=number, location=location
        )
        return self._accrued(purchase)

    def refund(self, purchase: Purchase, amount: int, *, at: datetime | None = None) -> Purchase:
        """Give back an amount of a sale that is named."""
        return self._accrued(refund_purchase(purchase=purchase, amount_minor=amount, refunded_at=at or self.now, actor=SYSTEM))

    def bring_back(self, product: str, price: int, *, at: datetime | None = None) -> Purchase:
        """A cancellation as a till's export has it, which names no sale."""
        refund = Purchase.objects.create(
            customer=self.customer,
            kind=PurchaseKind.REFUND,
            number=f"C{next(NUMBERS)}",
            purchased_at=at or self.now,
            currency="USD",
            total_minor=-price,
        )
        PurchaseLine.objects.create(purchase=refund, product_code=product, quantity=-1, unit_price_minor=price, amount_minor=-price)
        CustomerFacts.objects.filter(customer=self.customer).update(refund_count=1)
        return self._accrued(refund)

    def visit(self, at: datetime | None = None) -> Visit:
        return Visit.objects.create(customer=self.customer, starts_at=at or self.now, state=VisitState.COMPLETED)

    def accrue(self, *purchases: Purchase) -> None:
        accrue_purchases(purchase_ids=[purchase.pk for purchase in purchases], now=self.now)

    @property
    def member(self) -> Member:
        return Member.objects.get(program=self.program, customer=self.customer)

    def wallet(self) -> tuple[int, int, int, int]:
        """Balance, held, pending, debt."""
        wallet = Wallet.objects.get(member=self.member)
        return wallet.balance, wallet.held, wallet.pending, wallet.debt

    def _accrued(self, purchase: Purchase) -> Purchase:
        if not self.waits:
            self.accrue(purchase)
        return purchase


def broken() -> dict[str, str]:
    """The ledger's checks that fail, and where first."""
    return {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed}
