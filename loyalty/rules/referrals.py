"""Who counts as one person, whose referral counts, and which purchase it counts for."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

# Google's mailboxes ignore dots; both names are one mailbox.
_DOTLESS: Final = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}


class Rejection(StrEnum):
    """Why a referral does not count."""

    SELF = "self"
    CYCLE = "cycle"
    REFERRED_BEFORE = "referred_before"
    REFUNDED = "refunded"


class Flag(StrEnum):
    """What people should look at; by itself it rejects nothing."""

    ADDRESS = "address"
    DEVICE = "device"
    KNOWN_CUSTOMER = "known_customer"


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as referrals see them: every normalised identity, hashed, and the postal address."""

    customer_id: int
    identities: frozenset[str]
    address: str = ""

    def is_also(self, other: "Person") -> bool:
        return self.customer_id == other.customer_id or not self.identities.isdisjoint(other.identities)


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase of the referred: what it came to, and what is left of that after refunds."""

    id: int
    at: datetime
    amount: int
    left: int


def mailbox(email: str) -> str:
    """The mailbox behind an address: without what follows a plus, at every provider, and without Google's dots."""
    local, _, domain = email.strip().lower().rpartition("@")
    local, domain = local.partition("+")[0] or local, _DOTLESS.get(domain, domain)
    return f"{local.replace('.', '') if domain in _DOTLESS else local}@{domain}"


def identities(customer_id: int | None, *, emails: Iterable[str] = (), phones: Iterable[str] = ()) -> frozenset[str]:
    """What one person is known by; phone numbers come as E.164."""
    known = [f"email:{mailbox(email)}" for email in emails if email] + [f"phone:{phone.strip()}" for phone in phones if phone]
    if customer_id is not None:
        known.append(f"customer:{customer_id}")
    return frozenset(hashlib.sha256(one.encode()).hexdigest() for one in known)


def rejection(*, referrer: Person, referee: Person, ancestors: Collection[Person], is_referred: bool) -> Rejection | None:
    """Why the referee does not count for the referrer.

    Args:
        ancestors: who brought the referrer, who brought those, and so on.
        is_referred: one of the referee's identities came by some code before.
    """
    if referee.is_also(referrer):
        return Rejection.SELF
    if any(referee.is_also(ancestor) for ancestor in ancestors):
        return Rejection.CYCLE
    return Rejection.REFERRED_BEFORE if is_referred else None


def flags(*, referrer: Person, referee: Person, device: str, known_devices: Collection[str], has_bought: bool) -> list[Flag]:
    """What is noticed about a referral that counts."""
    noticed = {
        Flag.ADDRESS: bool(referee.address) and referee.address == referrer.address,
        Flag.DEVICE: bool(device) and device in known_devices,
        Flag.KNOWN_CUSTOMER: has_bought,
    }
    return [flag for flag, is_so in noticed.items() if is_so]


def counting_sale(sales: Sequence[Sale], *, current: int | None) -> Sale | None:
    """The purchase a referral counts for: the one it counts for already, else the first, as long as nothing of it came back."""
    standing = [sale for sale in sales if sale.amount > 0 and sale.left == sale.amount]
    return next((sale for sale in standing if sale.id == current), None) or min(standing, key=lambda sale: (sale.at, sale.id), default=None)
