"""What messages may say of a recipient's membership: the namespace ``loyalty``.

Who is a member of several programs is spoken of as a member of the first of them that is active.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Min, QuerySet, Sum
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.formats import format_day
from loyalty.links import member_url
from loyalty.models import LotRemainder, Member, ProgramState
from loyalty.queries.clocks import Clocks
from loyalty.queries.programs import TermsBook
from loyalty.rules.months import last_day
from messaging.variables import Loading, Namespace, Variable, register

EXPIRING_WITHIN = timedelta(days=30)


def register_loyalty_variables() -> None:
    """Called once, when the app is ready."""
    register(Namespace("loyalty", _("Loyalty"), _variables, _load))


def _variables() -> Sequence[Variable]:
    return [
        Variable("points", _("points that can be spent"), 1_250),
        Variable("pending_points", _("points that come later"), 80),
        Variable("tier", _("tier"), "Gold"),
        Variable("member_number", _("member number"), "7KQ2M9XWB4TD"),
        Variable("page", _("address of their own page"), "https://example.org/t/m/1-7.sample"),
        Variable("program", _("name of the program"), "Saffron points"),
        Variable("expiring_points", _("points that expire within 30 days"), 300),
        Variable("expiring_on", _("day on which points expire next"), "Mar 31, 2026"),
    ]


def _load(loading: Loading) -> Mapping[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    members: list[int] = []
    book = TermsBook()
    for member in _members(loading):
        if member.customer_id in found:
            continue
        members.append(member.pk)
        values = {
            "points": member.wallet.balance,
            "pending_points": member.wallet.pending,
            "tier": book.tier_name(member.program_id, member.tier, loading.now) or None,
            "member_number": member.number,
            "page": member_url(member.pk),
            "program": member.program.name,
        }
        found[member.customer_id] = {name: value for name, value in values.items() if value is not None and name in loading.names}
    if loading.names & {"expiring_points", "expiring_on"}:
        _add_expiring(found, members, loading)
    return found


def _members(loading: Loading) -> QuerySet[Member]:
    active = Member.objects.filter(customer_id__in=loading.customer_ids, is_active=True, program__state=ProgramState.ACTIVE)
    return active.select_related("wallet", "program").order_by("program_id")


def _add_expiring(found: dict[int, dict[str, Any]], members: Collection[int], loading: Loading) -> None:
    rows = (
        LotRemainder.objects.filter(
            member__in=members, is_open=True, available__gt=0,
            expires_at__gt=loading.now, expires_at__lte=loading.now + EXPIRING_WITHIN,
        )
        .values_list("member__customer_id", "member__customer__time_zone")
        .annotate(points=Sum("available"), first=Min("expires_at"))
    )  # fmt: skip
    clocks = Clocks()
    for customer_id, time_zone, points, first in rows:
        with override(loading.language):
            found[customer_id] |= {"expiring_points": int(points), "expiring_on": format_day(last_day(first, clocks.named(time_zone)))}
