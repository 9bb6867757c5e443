"""How entries, lots and tiers are told in words."""

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.dates import MONTHS_3
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from accounts.formats import JALALI_MONTHS, digits, format_number, format_percent, in_one_run, is_persian
from loyalty.models import Entry, EntryKind
from loyalty.queries.members import HistoryLine
from loyalty.queries.programs import Version
from loyalty.rules.months import last_day, read_day
from loyalty.rules.rewards import Refusal
from loyalty.rules.terms import Benefit, BenefitKind, Calendar
from loyalty.rules.till import missing_points

TONES = {
    EntryKind.EARN: "good",
    EntryKind.MATURE: "good",
    EntryKind.GIVE: "good",
    EntryKind.UNDO: "good",
    EntryKind.RESTORE: "good",
    EntryKind.RELEASE: "good",
    EntryKind.REDEEM: "info",
    EntryKind.CAPTURE: "info",
    EntryKind.HOLD: "info",
    EntryKind.TAKE: "warn",
    EntryKind.CLAWBACK: "warn",
    EntryKind.EXPIRE: "bad",
}


def tone_of(entry: Entry) -> str:
    """The colour that goes with the word for an entry's kind."""
    return TONES.get(EntryKind(entry.kind), "muted")


def headline(entry: Entry) -> str:
    """What happened, in a word or two."""
    if entry.kind == EntryKind.CLAWBACK and entry.origin and entry.origin.kind == EntryKind.GIVE:
        return _("Gift undone")
    if entry.kind == EntryKind.UNDO:
        return _("Taking undone") if entry.origin and entry.origin.kind == EntryKind.TAKE else _("Redemption undone")
    return str(EntryKind(entry.kind).label)


def missing_words(available: int, version: Version | None) -> str:
    """That nothing can be paid with points yet, and how many are missing; empty where something can."""
    if version is None or not (missing := missing_points(available, version.terms.redemption)):
        return ""
    words = ngettext(
        "Nothing can be paid with points yet: it takes %(smallest)s of them, %(missing)s more is needed.",
        "Nothing can be paid with points yet: it takes %(smallest)s of them, %(missing)s more are needed.",
        missing,
    )
    return words % {"smallest": format_number(version.terms.redemption.smallest), "missing": format_number(missing)}


def why(line: HistoryLine) -> list[str]:
    """The reasons and consequences of an entry, a short sentence each."""
    entry = line.entry
    told = [entry.reason] if entry.reason else []
    told += [voucher.reward.name for voucher in entry.vouchers.all()]
    told += _rules(entry)
    if entry.kind in (EntryKind.HOLD, EntryKind.CAPTURE, EntryKind.RELEASE, EntryKind.LAPSE):
        told.append(_("reservation %(number)s") % {"number": digits(str(entry.hold_id))})
    if line.debt < 0:
        told.append(_("%(count)s of them repaid the debt") % {"count": format_number(-line.debt)})
    if line.debt > 0:
        told.append(_("%(count)s were missing and are a debt now") % {"count": format_number(line.debt)})
    if line.pending > 0:
        told.append(_("they become available later"))
    return told


def _rules(entry: Entry) -> list[str]:
    """The names of the rules that an earning came by, in the terms it was earned under."""
    earned = entry.details.get("rules", {})
    if entry.terms is None or not isinstance(earned, dict):
        return []
    return [rule.get("name") or rule["key"] for rule in entry.terms.document["earn"] if earned.get(rule["key"])]


def benefit_words(benefit: Benefit) -> str:
    """What a tier gives, in words: its own if it has some."""
    words = {
        BenefitKind.DISCOUNT: _("%(percent)s off every purchase") % {"percent": format_percent(benefit.value / 100)},
        BenefitKind.FREE_SHIPPING: _("Free shipping"),
        BenefitKind.FREE_SERVICE: _("A free service"),
        BenefitKind.PRIORITY: _("Served first"),
        BenefitKind.EXCLUSIVE_OFFERS: _("Offers for members alone"),
    }
    return benefit.text or words[benefit.kind]


def refusal_words(reason: Refusal) -> str:
    """Why a member cannot have a reward."""
    words = {
        Refusal.NOT_OFFERED: _("It is not offered now."),
        Refusal.NOT_FOR_POINTS: _("It cannot be bought with points."),
        Refusal.TIER: _("It is for members of another tier."),
        Refusal.MEMBER_LIMIT: _("They had it as often as one member may."),
        Refusal.PERIOD_LIMIT: _("They had it as often as one member may for now."),
        Refusal.SOLD_OUT: _("None is left."),
    }
    return words[reason]


def signed(count: int) -> str:
    """``+50`` or ``−50``; a dash for nothing."""
    if not count:
        return "–"
    return in_one_run(f"{'+' if count > 0 else '−'}{format_number(abs(count))}")


def month_of(day: date) -> tuple[int, int]:
    """Year and month of a day in the reader's calendar."""
    year, month, _day = read_day(day, Calendar.JALALI if is_persian() else Calendar.GREGORIAN)
    return year, month


def month_label(month: tuple[int, int]) -> str:
    """``Nov 2026`` or ``آبان ۱۴۰۵``."""
    year, number = month
    if is_persian():
        return f"{JALALI_MONTHS[number - 1]} {digits(str(year))}"
    return f"{str(MONTHS_3[number]).title()} {year}"


def expiry_chart(sums: Sequence[tuple[datetime | None, int]], zone: ZoneInfo) -> dict[str, object]:
    """What expires in which month where the member is, as ``{% chart %}`` takes it; what never expires stands last."""
    by_month: dict[tuple[int, int], int] = {}
    never = 0
    for expires_at, amount in sums:
        if expires_at is None:
            never += amount
        else:
            month = month_of(last_day(expires_at, zone))
            by_month[month] = by_month.get(month, 0) + amount
    labels = [month_label(month) for month in sorted(by_month)]
    values = [by_month[month] for month in sorted(by_month)]
    if never:
        labels.append(pgettext("expiry", "Never"))
        values.append(never)
    return {"label": _("Expires in"), "labels": labels, "series": [{"name": _("Points"), "values": values}]}
