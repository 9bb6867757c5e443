"""The terms of a program: what earns points, what multiplies them, when they expire, what they are worth, its tiers.

A document is read by ``parse_terms``, written back by ``terms_document`` and described by ``terms_schema``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Protocol

from loyalty.rules.documents import DocumentError, Fault, Schema, Text, Tree, Whole, document_schema, read_document, write_document
from segmentation.rules.problems import gettext_noop as _

MAX_POINTS = 10**9
# Points for these would bring about more of them.
OWN_NOUNS = frozenset(["member", "points", "referral", "reward", "stamp", "tier", "voucher"])
Points = Annotated[int, Whole(1, MAX_POINTS)]
Minor = Annotated[int, Whole(1, 10**12)]
Months = Annotated[int, Whole(0, 120)]
Percent = Annotated[int, Whole(0, 10_000)]
RowId = Annotated[int, Whole(1, 2**63 - 1)]
Key = Annotated[str, Text(40, pattern="[a-z][a-z0-9_-]*")]
Name = Annotated[str, Text(120)]
Word = Annotated[str, Text(80, 1)]
Rules = Annotated[Any, Tree()]


class TermsError(DocumentError):
    """Terms that cannot be used; ``problems`` names each fault with the path to its node."""


class Calendar(StrEnum):
    GREGORIAN = "gregorian"
    JALALI = "jalali"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """``points`` are worth ``minor`` units of money; fewer than ``smallest`` are not redeemed."""

    points: Points = 100
    minor: Minor = 100
    smallest: Points = 1


class ExpiryKind(StrEnum):
    NEVER = "never"
    AGE = "age"
    ACTIVITY = "activity"
    CALENDAR = "calendar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Points expire at the end of a local day.

    ``age``: so many months after they were earned. ``activity``: so many months after the member's last purchase or
    visit. ``calendar``: at the first such day of a year (31 is the last day of a shorter month) that is at least so many
    months after they were earned. ``warn_days``: so many days before, an event tells of it.
    """

    kind: ExpiryKind = ExpiryKind.NEVER
    months: Months = 0
    calendar: Calendar = Calendar.GREGORIAN
    month: Annotated[int, Whole(1, 12)] = 12
    day: Annotated[int, Whole(1, 31)] = 31
    warn_days: tuple[Annotated[int, Whole(1, 365)], ...] = (30, 7)

    def faults(self) -> Iterator[Fault]:
        if self.kind in (ExpiryKind.AGE, ExpiryKind.ACTIVITY) and not self.months:
            yield Fault("months", "too_few", _("Points have to last for at least a month."))


class EarnOn(StrEnum):
    AMOUNT = "amount"
    VISIT = "visit"
    PRODUCT = "product"
    CATEGORY = "category"
    EVENT = "event"
    SIGN_UP = "sign_up"
    BIRTHDAY = "birthday"
    REVIEW = "review"
    REFERRAL = "referral"
    MILESTONE = "milestone"


class Counted(StrEnum):
    VISITS = "visits"
    PURCHASES = "purchases"


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """Each ``count``-th visit or purchase since the member joined."""

    count: Annotated[int, Whole(1, 10_000)]
    of: Counted


class CapPer(StrEnum):
    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    MEMBER = "member"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The most points that a rule brings one member in a local day, month or year, or ever."""

    points: Points
    per: CapPer


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnRule:
    """What earns points.

    ``amount`` earns ``points`` per ``per_minor`` of a sale. ``product`` and ``category`` earn them per ``per_minor`` of
    the lines with one of ``products`` or ``categories``, or without ``per_minor`` for each piece. Everything else earns
    ``points`` each time. ``budget`` is the most that the rule ever brings all members together. ``referral`` gives whoever
    brought a customer ``points`` and the customer ``referee_points``, both pending for ``refund_days`` after the purchase,
    or for the program's ``pending_days``.
    """

    key: Key
    name: Name = ""
    on: EarnOn
    points: Points
    per_minor: Minor | None = None
    products: tuple[Word, ...] = ()
    categories: tuple[Word, ...] = ()
    event: Annotated[str, Text(60)] = ""
    milestone: Milestone | None = None
    referee_points: Annotated[int, Whole(0, MAX_POINTS)] = 0
    refund_days: Annotated[int, Whole(0, 3_660)] | None = None
    rules: Rules = None
    locations: tuple[RowId, ...] = ()
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    cap: Cap | None = None
    budget: Points | None = None

    def faults(self) -> Iterator[Fault]:
        needed: dict[EarnOn, str] = {
            EarnOn.AMOUNT: "per_minor",
            EarnOn.PRODUCT: "products",
            EarnOn.CATEGORY: "categories",
            EarnOn.EVENT: "event",
            EarnOn.MILESTONE: "milestone",
        }
        for kind, name in needed.items():
            if self.on is kind and not getattr(self, name):
                yield Fault(name, "missing", _("This kind of rule needs it."))
            if self.on is not kind and getattr(self, name) and not (name == "per_minor" and self.on in (EarnOn.PRODUCT, EarnOn.CATEGORY)):
                yield Fault(name, "unused", _("This kind of rule has no use for it."))
        for name in ("referee_points", "refund_days"):
            if self.on is not EarnOn.REFERRAL and getattr(self, name):
                yield Fault(name, "unused", _("This kind of rule has no use for it."))
        if self.event.partition(".")[0] in OWN_NOUNS:
            yield Fault("event", "reserved", _("What the program itself brings about cannot earn points."))
        yield from _ends_before_it_begins(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """What purchases and visits earn is multiplied by ``percent``; Monday is weekday 0."""

    key: Key
    name: Name = ""
    percent: Percent
    rules: Rules = None
    locations: tuple[RowId, ...] = ()
    weekdays: tuple[Annotated[int, Whole(0, 6)], ...] = ()
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def faults(self) -> Iterator[Fault]:
        yield from _ends_before_it_begins(self)


class TierBasis(StrEnum):
    POINTS = "points"
    SPEND = "spend"
    VISITS = "visits"


class WindowKind(StrEnum):
    ROLLING = "rolling"
    CALENDAR = "calendar"


@dataclass(frozen=True, slots=True, kw_only=True)
class TierWindow:
    """The time over which a tier is reached: so many months back, or the calendar's year."""

    kind: WindowKind = WindowKind.ROLLING
    months: Annotated[int, Whole(1, 120)] = 12
    calendar: Calendar = Calendar.GREGORIAN


class BenefitKind(StrEnum):
    DISCOUNT = "discount"
    FREE_SHIPPING = "free_shipping"
    FREE_SERVICE = "free_service"
    PRIORITY = "priority"
    EXCLUSIVE_OFFERS = "exclusive_offers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """What members of a tier have; ``value`` is the percent of a discount."""

    kind: BenefitKind
    value: Annotated[int, Whole(0, 10**9)] = 0
    text: Annotated[str, Text(200)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A tier, reached at ``threshold``; what its members earn is multiplied by ``percent``."""

    key: Key
    name: Name = ""
    threshold: Annotated[int, Whole(0, 10**15)] = 0
    percent: Percent = 100
    benefits: tuple[Benefit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """Tiers from the lowest to the highest."""

    basis: TierBasis
    window: TierWindow = TierWindow()
    grace_days: Annotated[int, Whole(0, 3_660)] = 0
    soft_landing: bool = False
    levels: tuple[Level, ...]

    def faults(self) -> Iterator[Fault]:
        yield from _repeated_keys("levels", self.levels)
        if not self.levels:
            yield Fault("levels", "missing", _("Give at least one tier."))
        thresholds = [level.threshold for level in self.levels]
        if any(lower >= higher for lower, higher in pairwise(thresholds)):
            yield Fault("levels", "not_ascending", _("Each tier needs a higher threshold than the one before."))


class Enrolment(StrEnum):
    AUTOMATIC = "automatic"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTerms:
    """All that holds in a program.

    ``enrol``: with their first purchase or visit customers become members by themselves, or people enrol them.
    ``pending_days``: earned points can be spent from the end of the local day so many days later.
    ``redeemed_share``: percent of points that are expected to be redeemed.
    """

    enrol: Enrolment = Enrolment.AUTOMATIC
    redemption: Redemption = Redemption()
    redeemed_share: Annotated[int, Whole(1, 100)] = 80
    pending_days: Annotated[int, Whole(0, 3_660)] = 0
    expiry: Expiry = Expiry()
    earn: tuple[EarnRule, ...] = ()
    multipliers: tuple[Multiplier, ...] = ()
    tiers: Tiers | None = None

    def faults(self) -> Iterator[Fault]:
        yield from _repeated_keys("earn", self.earn)
        yield from _repeated_keys("multipliers", self.multipliers)

    def rules_on(self, *kinds: EarnOn) -> tuple[EarnRule, ...]:
        """The earn rules of some kinds, in their order."""
        return tuple(rule for rule in self.earn if rule.on in kinds)

    def level(self, key: str) -> Level | None:
        """The tier with this key."""
        levels = self.tiers.levels if self.tiers else ()
        return next((level for level in levels if level.key == key), None)


def parse_terms(raw: Any) -> ProgramTerms:
    """Read a document.

    Raises:
        TermsError: with every fault and the path to its node.
    """
    try:
        return read_document(ProgramTerms, raw)
    except DocumentError as error:
        raise TermsError(error.problems) from None


def terms_document(terms: ProgramTerms) -> dict[str, Any]:
    """The document that ``parse_terms`` reads back into the same terms, every key named."""
    document: dict[str, Any] = write_document(terms)
    return document


def terms_schema() -> Schema:
    """The JSON schema of the document."""
    return document_schema(ProgramTerms)


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


class _Valid(Protocol):
    @property
    def valid_from(self) -> datetime | None: ...
    @property
    def valid_until(self) -> datetime | None: ...


def _repeated_keys(name: str, items: Iterable[_Keyed]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        if item.key in seen:
            yield Fault(f"{name}[{index}].key", "repeated", _("Another one has this key."))
        seen.add(item.key)


def _ends_before_it_begins(item: _Valid) -> Iterator[Fault]:
    if item.valid_from and item.valid_until and item.valid_from >= item.valid_until:
        yield Fault("valid_until", "reversed", _("It ends before it begins."))
