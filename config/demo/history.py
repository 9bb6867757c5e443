"""Two years of visits, no-shows, purchases, refunds and consents, in memory and in step with each other."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from accounts.models import Membership
from config.demo.people import Shopper
from crm.models import (
    Channel,
    Consent,
    ConsentChange,
    ConsentState,
    CustomerFacts,
    PaymentMethod,
    Purchase,
    PurchaseKind,
    PurchaseLine,
    Purpose,
    Visit,
    VisitState,
)

# name, category, price in cents, how often it is chosen
SERVICES = (
    ("Haircut", "Hair", 3200, 52), ("Beard trim", "Beard", 1800, 20), ("Hot-towel shave", "Shave", 2800, 10),
    ("Kids' cut", "Hair", 2200, 10), ("Colour", "Colour", 6500, 8),
)  # fmt: skip
PRODUCTS = (("Pomade", 1900), ("Beard oil", 1600), ("Shampoo", 1400), ("Comb", 900))
METHODS = ((PaymentMethod.CARD, 62), (PaymentMethod.CASH, 25), (PaymentMethod.ONLINE, 13))
CONSENT_WORDS = "Yes, send me offers and news by e-mail. I can unsubscribe at any time."


@dataclass(slots=True)
class History:
    """Rows not yet saved; a purchase keeps its lines beside it until it has an id."""

    visits: list[Visit] = field(default_factory=list)
    purchases: list[tuple[Purchase, list[PurchaseLine]]] = field(default_factory=list)
    refunds: list[tuple[Purchase, Purchase, PurchaseLine]] = field(default_factory=list)
    consents: list[Consent] = field(default_factory=list)
    consent_changes: list[ConsentChange] = field(default_factory=list)
    facts: list[CustomerFacts] = field(default_factory=list)


def write_history(shopper: Shopper, history: History, *, now: datetime, staff: list[Membership], chance: random.Random) -> None:
    """Add one saved customer's two years."""
    facts = CustomerFacts(customer=shopper.customer)
    for moment in _moments(shopper, now, chance):
        visit = _visit(shopper, moment, staff, chance)
        history.visits.append(visit)
        if visit.state == VisitState.NO_SHOW:
            facts.no_show_count += 1
            continue
        facts.visit_count += 1
        facts.first_visit_at = facts.first_visit_at or moment
        facts.last_visit_at = moment
        _buy(visit, history, facts, now, chance)
    history.visits += _booked(shopper, now, staff, chance)
    history.facts.append(facts)
    _ask_consent(shopper, history, now, chance)


def _moments(shopper: Shopper, now: datetime, chance: random.Random) -> Iterator[datetime]:
    moment, end = shopper.joined_at, shopper.left_at or now
    while moment < end:
        yield _opening_hour(moment, chance) - timedelta(days=1)
        moment += timedelta(days=chance.uniform(*shopper.habit.days))


def _visit(shopper: Shopper, moment: datetime, staff: list[Membership], chance: random.Random) -> Visit:
    name, _category, price, _weight = chance.choices(SERVICES, [service[3] for service in SERVICES])[0]
    missed = chance.random() < 0.05
    return Visit(
        customer=shopper.customer,
        location=shopper.customer.preferred_location,
        staff=chance.choice(staff),
        service=name,
        state=VisitState.NO_SHOW if missed else VisitState.COMPLETED,
        starts_at=moment,
        amount_minor=0 if missed else price,
    )


def _booked(shopper: Shopper, now: datetime, staff: list[Membership], chance: random.Random) -> list[Visit]:
    if shopper.left_at or chance.random() > 0.06:
        return []
    moment = _opening_hour(now + timedelta(days=chance.randrange(10)), chance)
    visit = _visit(shopper, moment if moment > now else moment + timedelta(days=1), staff, chance)
    visit.state, visit.amount_minor = VisitState.BOOKED, 0
    return [visit]


def _opening_hour(day: datetime, chance: random.Random) -> datetime:
    # Branches open at nine and close at seven, in New York.
    return day.replace(hour=chance.randint(14, 22), minute=chance.choice([0, 20, 40]), second=0, microsecond=0)


def _buy(visit: Visit, history: History, facts: CustomerFacts, now: datetime, chance: random.Random) -> None:
    service = next(item for item in SERVICES if item[0] == visit.service)
    lines = [_line(service[0], service[1], service[2], 1)]
    if chance.random() < 0.22:
        name, price = chance.choice(PRODUCTS)
        lines.append(_line(name, "Products", price, chance.choice([1, 1, 1, 2])))
    purchase = Purchase(
        customer=visit.customer,
        location=visit.location,
        staff=visit.staff,
        number=f"D{len(history.purchases) + 1:06d}",
        purchased_at=visit.starts_at + timedelta(minutes=35),
        currency="USD",
        total_minor=sum(line.amount_minor for line in lines),
        payment_method=chance.choices([method for method, _ in METHODS], [weight for _, weight in METHODS])[0],
        source="till",
    )
    history.purchases.append((purchase, lines))
    facts.purchase_count += 1
    facts.spent_minor += purchase.total_minor
    facts.first_purchase_at = facts.first_purchase_at or purchase.purchased_at
    facts.last_purchase_at = purchase.purchased_at
    if len(lines) > 1 and chance.random() < 0.05:
        _give_back(purchase, lines[1], history, facts, now)


def _give_back(purchase: Purchase, line: PurchaseLine, history: History, facts: CustomerFacts, now: datetime) -> None:
    at = purchase.purchased_at + timedelta(days=3)
    if at > now:
        return
    refund = Purchase(
        customer=purchase.customer,
        location=purchase.location,
        kind=PurchaseKind.REFUND,
        number=f"R{purchase.number}",
        purchased_at=at,
        currency="USD",
        total_minor=-line.amount_minor,
        payment_method=purchase.payment_method,
        source="till",
    )
    history.refunds.append((refund, purchase, _line(f"Refund of {purchase.number}", "Products", -line.amount_minor, 1)))
    facts.refund_count += 1
    facts.spent_minor += refund.total_minor


def _line(name: str, category: str, price: int, quantity: int) -> PurchaseLine:
    code = name.upper().replace(" ", "-")[:20]
    return PurchaseLine(
        product_code=code, description=name, category=category, quantity=quantity, unit_price_minor=price, amount_minor=price * quantity
    )


def _ask_consent(shopper: Shopper, history: History, now: datetime, chance: random.Random) -> None:
    """Most were asked at the counter on their first visit; some of those who agreed withdrew later."""
    if not shopper.customer.email or chance.random() > shopper.habit.agrees:
        return
    asked_at = shopper.joined_at
    states = [(ConsentState.GRANTED, asked_at, "counter", {"words": CONSENT_WORDS, "place": str(shopper.customer.preferred_location)})]
    if chance.random() < 0.06:
        left_at = asked_at + (now - asked_at) * chance.random()
        states.append((ConsentState.WITHDRAWN, left_at, "preferences", {"words": "Stop sending me offers and news."}))
    about = {"customer": shopper.customer, "channel": Channel.EMAIL, "purpose": Purpose.MARKETING}
    for state, at, source, proof in states:
        history.consent_changes.append(ConsentChange(**about, state=state, at=at, source=source, proof=proof))
    history.consents.append(Consent(**about, state=states[-1][0], changed_at=states[-1][1]))
