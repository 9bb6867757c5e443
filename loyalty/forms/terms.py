"""The steps in which terms are written. Each reads its part of the document and writes it back; what it does not show is kept."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from accounts.fields import NumberField
from accounts.formats import in_week_order
from accounts.queries import Seat
from crm.forms.fields import MoneyField
from loyalty.rules.terms import BenefitKind, Calendar, CapPer, Counted, EarnOn, Enrolment, ExpiryKind, TierBasis, WindowKind
from segmentation.models import Segment

Document = dict[str, Any]
MOST_ROWS = 50
ENROLMENTS = [
    (Enrolment.AUTOMATIC, _("by themselves, with their first purchase or visit")),
    (Enrolment.BY_HAND, _("when staff enrol them")),
]
CALENDARS = [(Calendar.GREGORIAN, _("Gregorian")), (Calendar.JALALI, _("Jalali"))]
EXPIRIES = [
    (ExpiryKind.NEVER, _("never")),
    (ExpiryKind.AGE, _("so many months after they were earned")),
    (ExpiryKind.ACTIVITY, _("so many months after the last purchase or visit")),
    (ExpiryKind.CALENDAR, _("on a day of the year")),
]
EARN_ON = [
    (EarnOn.AMOUNT, _("Amount of a purchase")),
    (EarnOn.VISIT, _("Visit")),
    (EarnOn.PRODUCT, _("Certain products")),
    (EarnOn.CATEGORY, _("Certain categories")),
    (EarnOn.SIGN_UP, _("Sign-up")),
    (EarnOn.BIRTHDAY, _("Birthday")),
    (EarnOn.REVIEW, _("Review they write")),
    (EarnOn.REFERRAL, _("Referral")),
    (EarnOn.MILESTONE, _("Every so many visits or purchases")),
    (EarnOn.EVENT, _("Another event")),
]
CAPS = [("", _("no cap")), (CapPer.DAY, _("a day")), (CapPer.MONTH, _("a month")), (CapPer.YEAR, _("a year")), (CapPer.MEMBER, _("ever"))]
WEEKDAYS = [
    (0, _("Monday")),
    (1, _("Tuesday")),
    (2, _("Wednesday")),
    (3, _("Thursday")),
    (4, _("Friday")),
    (5, _("Saturday")),
    (6, _("Sunday")),
]
BASES = [(TierBasis.POINTS, _("points earned")), (TierBasis.SPEND, _("money spent")), (TierBasis.VISITS, _("visits"))]
WINDOWS = [(WindowKind.ROLLING, _("the last months")), (WindowKind.CALENDAR, _("the calendar year"))]


class StepForm(forms.Form):
    """A part of the document: ``read`` fills the form, ``written`` is the document with what was typed."""

    def __init__(self, data: Any = None, *, document: Document, seat: Seat, **kwargs: Any) -> None:
        self.document, self.seat = document, seat
        super().__init__(data, initial=self.read(document), **kwargs)
        self.add_fields()

    def add_fields(self) -> None:
        """Fields that need the organization."""

    def read(self, document: Document) -> dict[str, Any]:
        """What the form shows at first."""
        raise NotImplementedError

    def written(self) -> Document:
        """The document with this step in it."""
        raise NotImplementedError


class BasicsForm(StepForm):
    enrol = forms.ChoiceField(label=_("Customers become members"), choices=ENROLMENTS, widget=forms.RadioSelect)

    def read(self, document: Document) -> dict[str, Any]:
        return {"enrol": document.get("enrol", Enrolment.AUTOMATIC)}

    def written(self) -> Document:
        return self.document | {"enrol": self.cleaned_data["enrol"]}


class ExpiryForm(StepForm):
    kind = forms.ChoiceField(label=_("Points expire"), choices=EXPIRIES, widget=forms.RadioSelect)
    months = NumberField(label=_("Months"), min_value=0, max_value=120, help_text=_("On a day of the year: the months they hold at least."))
    calendar = forms.ChoiceField(label=_("Calendar"), choices=CALENDARS)
    month = NumberField(label=_("Month of that day"), min_value=1, max_value=12)
    day = NumberField(label=_("Day of the month"), min_value=1, max_value=31)
    pending_days = NumberField(
        label=_("Days until points can be spent"),
        min_value=0,
        max_value=3_660,
        help_text=_("0: at once. Give as many days as goods can be returned."),
    )

    def read(self, document: Document) -> dict[str, Any]:
        defaults = {"kind": "never", "months": 12, "calendar": "gregorian", "month": 12, "day": 31}
        return {**defaults, **document.get("expiry", {}), "pending_days": document.get("pending_days", 0)}

    def written(self) -> Document:
        values = dict(self.cleaned_data)
        return self.document | {"pending_days": values.pop("pending_days"), "expiry": self.document.get("expiry", {}) | values}


class RedemptionForm(StepForm):
    points = NumberField(label=_("So many points"), min_value=1, max_value=10**9)
    smallest = NumberField(label=_("Fewest points that are redeemed"), min_value=1, max_value=10**9)
    redeemed_share = NumberField(
        label=_("Percent of points that will be redeemed"),
        min_value=1,
        max_value=100,
        help_text=_("An expectation, for what the points owe."),
    )

    def add_fields(self) -> None:
        self.fields["minor"] = MoneyField(seat=self.seat, label=_("are worth"))
        self.order_fields(["points", "minor", "smallest", "redeemed_share"])

    def read(self, document: Document) -> dict[str, Any]:
        worth = {"points": 100, "minor": 100, "smallest": 1, **document.get("redemption", {})}
        return {**worth, "redeemed_share": document.get("redeemed_share", 80)}

    def written(self) -> Document:
        values = dict(self.cleaned_data)
        return self.document | {"redeemed_share": values.pop("redeemed_share"), "redemption": values}


class RowForm(forms.Form):
    """One of several things of a step. Rows without a name are left out; a row's key is kept, or made of its name."""

    seldom: ClassVar[tuple[str, ...]] = ()  # fields that are folded away until they say something
    key = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)
    name = forms.CharField(label=_("Name"), max_length=120, required=False, help_text=_("Empty: it is taken away."))

    def __init__(self, *args: Any, seat: Seat, basis: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_fields(seat, basis)

    def add_fields(self, seat: Seat, basis: str) -> None:
        """Fields that need the organization, or what tiers are reached by."""

    @staticmethod
    def initial_of(node: Document) -> dict[str, Any]:
        """What the form shows of a node of the document."""
        return node

    def over(self, node: Document) -> Document:
        """The node with what was typed; what the form does not show stays."""
        raise NotImplementedError

    @property
    def main_fields(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if field.name not in self.seldom]

    @property
    def seldom_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.seldom]

    @property
    def is_unfolded(self) -> bool:
        """Whether one of the folded fields says something, or is wrong."""
        return any(field.errors or (field.value() and field.name not in ("of", "per")) for field in self.seldom_fields)

    @property
    def is_there(self) -> bool:
        return bool(self.cleaned_data.get("name"))


def segment_field() -> forms.ModelChoiceField[Any]:
    """Whom a rule is for."""
    return forms.ModelChoiceField(
        label=_("Only for customers in"), queryset=Segment.objects.order_by("name"), required=False, empty_label=_("everybody")
    )


def _segment_in(rules: Any) -> int | None:
    match rules:
        case {"all": [{"segment": int(number), "op": "in"}]}:
            return number
    return None


def _rules_over(node: Document, segment: Segment | None) -> Any:
    # Conditions that were written otherwise, by a program, are kept unless a segment takes their place.
    if segment is not None:
        return {"all": [{"segment": segment.pk, "op": "in"}]}
    return None if _segment_in(node.get("rules")) else node.get("rules")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.replace("،", ",").split(",") if word.strip()]


class EarnForm(RowForm):
    seldom = ("items", "event", "every", "of", "referee_points", "refund_days", "cap", "per", "budget")
    on = forms.ChoiceField(label=_("Points for"), choices=EARN_ON)
    points = NumberField(label=_("Points"), min_value=1, max_value=10**9, initial=1)
    items = forms.CharField(label=_("Products or categories"), required=False, help_text=_("Codes or names, with commas between."))
    event = forms.CharField(label=_("Kind of the event"), max_length=60, required=False, widget=forms.TextInput(attrs={"dir": "ltr"}))
    every = NumberField(label=_("Every how many"), min_value=1, max_value=10_000, required=False)
    of = forms.ChoiceField(label=_("Of"), choices=[(Counted.VISITS, _("visits")), (Counted.PURCHASES, _("purchases"))], required=False)
    referee_points = NumberField(label=_("Points for the friend"), min_value=0, max_value=10**9, required=False)
    refund_days = NumberField(
        label=_("Days until both can spend them"), min_value=0, max_value=3_660, required=False, help_text=_("Empty: as for purchases.")
    )
    cap = NumberField(label=_("At most for one member"), min_value=1, max_value=10**9, required=False)
    per = forms.ChoiceField(label=_("Within"), choices=CAPS, required=False)
    budget = NumberField(label=_("At most for all together"), min_value=1, max_value=10**9, required=False)

    def add_fields(self, seat: Seat, basis: str) -> None:
        self.fields["per_minor"] = MoneyField(seat=seat, label=_("For each"), required=False)
        self.fields["segment"] = segment_field()
        self.order_fields(["key", "name", "on", "points", "per_minor", "segment"])

    @staticmethod
    def initial_of(node: Document) -> dict[str, Any]:
        milestone, cap = node.get("milestone") or {}, node.get("cap") or {}
        return node | {
            "name": node.get("name") or node.get("key"),
            "items": ", ".join([*node.get("products", []), *node.get("categories", [])]),
            "every": milestone.get("count"), "of": milestone.get("of"), "cap": cap.get("points"), "per": cap.get("per"),
            "segment": _segment_in(node.get("rules")),
        }  # fmt: skip

    def over(self, node: Document) -> Document:
        data = self.cleaned_data
        on, items = data["on"], _words(data["items"])
        return node | {
            "name": data["name"],
            "on": on,
            "points": data["points"],
            "per_minor": data["per_minor"] if on in ("amount", "product", "category") else None,
            "products": items if on == "product" else [],
            "categories": items if on == "category" else [],
            "event": data["event"] if on == "event" else "",
            "milestone": {"count": data["every"] or 1, "of": data["of"]} if on == "milestone" else None,
            "referee_points": (data["referee_points"] or 0) if on == "referral" else 0,
            "refund_days": data["refund_days"] if on == "referral" else None,
            "rules": _rules_over(node, data["segment"]),
            "cap": {"points": data["cap"], "per": data["per"]} if data["cap"] and data["per"] else None,
            "budget": data["budget"],
        }


class MultiplierForm(RowForm):
    percent = NumberField(label=_("Percent"), min_value=0, max_value=10_000, initial=200, help_text=_("200: twice as many points."))
    weekdays = forms.TypedMultipleChoiceField(
        label=_("On"), choices=lambda: in_week_order(WEEKDAYS), coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )

    def add_fields(self, seat: Seat, basis: str) -> None:
        self.fields["segment"] = segment_field()

    @staticmethod
    def initial_of(node: Document) -> dict[str, Any]:
        return node | {"name": node.get("name") or node.get("key"), "segment": _segment_in(node.get("rules"))}

    def over(self, node: Document) -> Document:
        data = self.cleaned_data
        return node | {
            "name": data["name"], "percent": data["percent"], "weekdays": data["weekdays"], "rules": _rules_over(node, data["segment"]),
        }  # fmt: skip


class LevelForm(RowForm):
    threshold = NumberField(
        label=_("Reached at"), min_value=0, max_value=10**15, initial=0, help_text=_("Points, visits or money, as chosen above.")
    )
    percent = NumberField(
        label=_("Percent of points"), min_value=0, max_value=10_000, initial=100, help_text=_("100: as everybody; 150: half as much again.")
    )
    discount = NumberField(label=_("Discount in percent"), min_value=0, max_value=100, required=False)
    free_shipping = forms.BooleanField(label=_("Free shipping"), required=False)
    benefit = forms.CharField(label=_("Another benefit"), max_length=200, required=False)

    def add_fields(self, seat: Seat, basis: str) -> None:
        if basis == TierBasis.SPEND:
            count = self.fields["threshold"]
            self.fields["threshold"] = MoneyField(seat=seat, label=count.label, help_text=count.help_text, initial=0)

    @staticmethod
    def initial_of(node: Document) -> dict[str, Any]:
        benefits = {benefit["kind"]: benefit for benefit in node.get("benefits", [])}
        return node | {
            "name": node.get("name") or node.get("key"),
            "discount": benefits.get("discount", {}).get("value"),
            "free_shipping": "free_shipping" in benefits,
            "benefit": benefits.get("exclusive_offers", {}).get("text"),
        }

    def over(self, node: Document) -> Document:
        data = self.cleaned_data
        shown = {BenefitKind.DISCOUNT, BenefitKind.FREE_SHIPPING, BenefitKind.EXCLUSIVE_OFFERS}
        before = {benefit["kind"]: benefit for benefit in node.get("benefits", [])}
        benefits = [benefit for kind, benefit in before.items() if kind not in shown]
        if data["discount"]:
            benefits.append(before.get("discount", {}) | {"kind": "discount", "value": data["discount"]})
        if data["free_shipping"]:
            benefits.append(before.get("free_shipping", {}) | {"kind": "free_shipping"})
        if data["benefit"]:
            benefits.append(before.get("exclusive_offers", {}) | {"kind": "exclusive_offers", "text": data["benefit"]})
        return node | {"name": data["name"], "threshold": data["threshold"], "percent": data["percent"], "benefits": benefits}


class TiersForm(StepForm):
    has_tiers = forms.BooleanField(label=_("The program has tiers"), required=False)
    basis = forms.ChoiceField(label=_("They are reached by"), choices=BASES)
    window = forms.ChoiceField(label=_("Counted over"), choices=WINDOWS)
    months = NumberField(label=_("Months"), min_value=1, max_value=120)
    calendar = forms.ChoiceField(label=_("Calendar"), choices=CALENDARS)
    grace_days = NumberField(label=_("Days of grace before a tier is lost"), min_value=0, max_value=3_660)
    soft_landing = forms.BooleanField(label=_("Lose one tier at a time"), required=False)

    def read(self, document: Document) -> dict[str, Any]:
        tiers = document.get("tiers") or {}
        window = {"kind": "rolling", "months": 12, "calendar": "gregorian"} | tiers.get("window", {})
        rest = {name: tiers.get(name, default) for name, default in (("basis", "points"), ("grace_days", 0), ("soft_landing", True))}
        return {"has_tiers": bool(tiers), "window": window["kind"], "months": window["months"], "calendar": window["calendar"], **rest}

    def written(self) -> Document:
        data = self.cleaned_data
        if not data["has_tiers"]:
            return self.document | {"tiers": None}
        window = {"kind": data["window"], "months": data["months"], "calendar": data["calendar"]}
        levels = (self.document.get("tiers") or {}).get("levels", [])
        rest = {name: data[name] for name in ("basis", "grace_days", "soft_landing")}
        return self.document | {"tiers": {**rest, "window": window, "levels": levels}}


def rows_written(nodes: list[Document], rows: Iterable[RowForm]) -> list[Document]:
    """The nodes of a list as the rows have them, in the rows' order; keys stay, new ones are made of names."""
    before = {node["key"]: node for node in nodes}
    taken: set[str] = set()
    written = []
    for row in rows:
        if not row.is_there:
            continue
        key = row.cleaned_data["key"] or _new_key(row.cleaned_data["name"], taken | before.keys())
        taken.add(key)
        written.append(row.over(before.get(key, {"key": key})))
    return written


def _new_key(name: str, taken: Iterable[str]) -> str:
    base = slugify(name)[:30].strip("-_") or "rule"
    base = base if base[0].isalpha() else f"rule-{base}"
    number, key = 1, base
    while key in set(taken):
        number += 1
        key = f"{base}-{number}"
    return key
