"""One earning of one member: decided under the locks of its budgets and its wallet, posted once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F

from accounts.audit import Actor
from loyalty.ledger.families import family_of, lock_wallets_of
from loyalty.ledger.posting import KeyReusedError, Receipt, post_once
from loyalty.ledger.store import NewEntry, NewLot, OpenWallet
from loyalty.models import BudgetUse, Entry, EntryKind, Member
from loyalty.queries.programs import TermsBook, Version
from loyalty.rules import postings
from loyalty.rules.earning import Earning, cap_window, earning
from loyalty.rules.expiry import inactive_at, matures_at
from loyalty.rules.postings import LotState
from loyalty.rules.receipts import Line
from loyalty.rules.terms import EarnRule


class NothingEarned(Exception):  # noqa: N818 - says what happened
    """Caps or budgets leave nothing of what was to be earned."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What earns: for whom, under which terms, when on the local clock, and what of it the rules look at.

    ``activity``: later purchases and visits of the member that are known already, where points expire with inactivity.
    """

    member: Member
    version: Version
    rules: Sequence[EarnRule]
    at: datetime
    zone: ZoneInfo
    factor: Fraction = Fraction(1)
    lines: tuple[Line, ...] = ()
    activity: Sequence[datetime] = ()
    purchase_id: int | None = None


@dataclass(frozen=True, slots=True)
class Earned:
    """An earning that was posted."""

    member_id: int
    points: Mapping[str, int]
    receipt: Receipt
    purchase_id: int | None = None


def post_earning(what: Occurrence, *, key: str, now: datetime, actor: Actor) -> Earned | None:
    """Post what an occurrence earns; ``None`` when that is nothing, or when its key was posted before."""
    if not earning(what.rules, what.factor, what.lines).total:
        return None
    lock_budgets((what.version.program_id, rule) for rule in what.rules)
    decided: list[Earning] = []

    def entry(wallet: OpenWallet) -> NewEntry:
        rooms = _rooms(what)
        decided.append(earned := earning(what.rules, what.factor, what.lines, rooms))
        if not earned.total:
            raise NothingEarned
        return _entry(wallet, what, earned, rooms, actor)

    body = {"kind": EntryKind.EARN, "purchase": what.purchase_id, "key": key}
    try:
        receipt = post_once(member_id=what.member.pk, key=key, body=body, now=now, build=entry)
    except (NothingEarned, KeyReusedError):  # the key is another's where the membership has moved since
        return None
    if receipt.is_replay:
        return None
    _use_budgets(what, decided[0])
    return Earned(what.member.pk, decided[0].points, receipt, what.purchase_id)


def expected_earning(what: Occurrence) -> Earning:
    """What an occurrence would earn as things stand; nothing is written and nothing locked."""
    return earning(what.rules, what.factor, what.lines, _rooms(what))


def lock_all(book: TermsBook, customer_ids: Collection[int], *, is_refund: bool = False) -> None:
    """Lock all that receipts of some customers may come to: before the first of it, in one order, so that nobody waits in a circle.

    Whoever comes to a single wallet locks it by opening it; a refund comes to those of memberships that moved as well.
    """
    lock_budgets(book.earn_rules)
    if is_refund or len(customer_ids) > 1 or len(book.programs) > 1:
        lock_wallets_of(customer_ids)


def lock_budgets(rules: Iterable[tuple[int, EarnRule]]) -> None:
    """Lock the budgets of some programs' rules.

    A transaction does so before it locks a wallet, at once for all that it may come to, so that nobody waits in a circle.
    """
    wanted = {(program_id, rule.key) for program_id, rule in rules if rule.budget}
    if wanted and wanted - (known := _locked_budgets(wanted)):
        new = [BudgetUse(program_id=program_id, rule=key) for program_id, key in sorted(wanted - known)]
        BudgetUse.objects.bulk_create(new, ignore_conflicts=True)
        _locked_budgets(wanted)


def _locked_budgets(wanted: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    programs, keys = zip(*wanted, strict=True)
    rows = BudgetUse.objects.filter(program_id__in=programs, rule__in=keys).order_by("program_id", "rule")
    return set(rows.select_for_update().values_list("program_id", "rule"))


def frozen_rules(version: Version, details: Mapping[str, Any]) -> tuple[list[EarnRule], Fraction, Mapping[str, int]]:
    """Rules, factor and rooms of an earning, as its entry keeps them."""
    rules = [rule for rule in version.terms.earn if rule.key in details["rules"]]
    return rules, Fraction(*details["factor"]), details.get("rooms", {})


def _rooms(what: Occurrence) -> dict[str, int]:
    """The most that rules with a cap or a budget may still bring."""
    rooms: dict[str, int] = {}
    for rule in what.rules:
        if rule.cap:
            rooms[rule.key] = max(rule.cap.points - _earned_within_cap(what, rule), 0)
    budgets = {rule.key: rule.budget for rule in what.rules if rule.budget}
    if budgets:
        used = dict(BudgetUse.objects.filter(program_id=what.version.program_id).values_list("rule", "used"))
        for key, budget in budgets.items():
            left = max(budget - used.get(key, 0), 0)
            rooms[key] = min(rooms.get(key, left), left)
    return rooms


def _earned_within_cap(what: Occurrence, rule: EarnRule) -> int:
    assert rule.cap is not None
    entries = Entry.objects.filter(member__in=family_of([what.member.pk]), kind=EntryKind.EARN, details__rules__has_key=rule.key)
    if window := cap_window(rule.cap.per, what.at):
        entries = entries.filter(occurred_at__gte=window[0], occurred_at__lt=window[1])
    return sum(details["rules"][rule.key] for details in entries.values_list("details", flat=True))


def _use_budgets(what: Occurrence, earned: Earning) -> None:
    for rule in what.rules:
        if rule.budget and (points := earned.points[rule.key]):
            there = BudgetUse.objects.filter(program_id=what.version.program_id, rule=rule.key, used__lte=rule.budget - points)
            assert there.update(used=F("used") + points) == 1, rule.key  # the room was read under the row's lock


def _entry(wallet: OpenWallet, what: Occurrence, earned: Earning, rooms: Mapping[str, int], actor: Actor) -> NewEntry:
    terms = what.version.terms
    entry_id, at = wallet.next_entry_id(), min(what.at, wallet.now)
    available_at = matures_at(terms.pending_days, at, what.zone)
    lapses_at = inactive_at(terms.expiry, at, what.activity, what.zone)
    is_pending = available_at is not None and available_at > wallet.now
    binding = {key: room for key, room in rooms.items() if room < earned.exact[key]}
    details = {"rules": dict(earned.points), "factor": list(what.factor.as_integer_ratio())} | ({"rooms": binding} if binding else {})
    return NewEntry(
        EntryKind.EARN,
        earned.total,
        postings.earn(LotState(entry_id, at, lapses_at), earned.total, debt=wallet.debt, pending=is_pending),
        at,
        actor,
        entry_id,
        lot=NewLot(earned.total, at, available_at, lapses_at),
        terms_id=what.version.id,
        purchase_id=what.purchase_id,
        details=details,
    )
