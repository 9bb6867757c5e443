"""Who is behind a referral, and what referrals came to."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from accounts.tenancy import current_organization_id
from crm.models import Customer, Identity, IdentityKind
from crm.queries.visible import purchases_within
from loyalty.codes import plain_code
from loyalty.ledger.families import family_of
from loyalty.models import Member, Referral, ReferralCode, ReferralRejection, ReferralState
from loyalty.rules.referrals import Person, identities

# What still says who brought whom: a refunded purchase does not unmake it.
STANDING = Q(customer__isnull=False) & (~Q(state=ReferralState.REJECTED) | Q(rejection=ReferralRejection.REFUNDED))
_ANCESTORS = """
with recursive chain as (
    select id, customer_id, moved_to_id, false as is_above from loyalty_member
    where organization_id = %(organization)s and program_id = %(program)s and customer_id = %(customer)s
    union
    select m.id, m.customer_id, m.moved_to_id, chain.is_above or m.is_above from chain
    cross join lateral (
        select f.id, f.customer_id, f.moved_to_id, false as is_above from loyalty_member as f
        where f.organization_id = %(organization)s and (f.id = chain.moved_to_id or f.moved_to_id = chain.id)
        union all
        select b.id, b.customer_id, b.moved_to_id, true from loyalty_referral as r
        join loyalty_member as b on b.organization_id = r.organization_id and b.id = r.referrer_id
        where r.organization_id = %(organization)s and r.program_id = %(program)s and r.customer_id = chain.customer_id
            and (r.state <> 'rejected' or r.rejection = 'refunded')
    ) as m
)
select distinct customer_id from chain where is_above
"""


@dataclass(frozen=True, slots=True)
class ReferralFigures:
    """Referrals by where they stand, each in one place; what they cost in points and brought in money."""

    invited: int = 0
    joined: int = 0
    qualified: int = 0
    rewarded: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    flagged: int = 0
    points: int = 0
    revenue_minor: int = 0


def referral_code(typed: str) -> ReferralCode | None:
    """The code, as it stands in a link or was typed."""
    return ReferralCode.objects.select_related("member__program", "member__customer").filter(code=plain_code(typed)).first()


def people(customer_ids: Collection[int]) -> dict[int, Person]:
    """Customers as referrals see them, with their further e-mail addresses and phone numbers."""
    further: dict[int, dict[str, list[str]]] = {}
    kinds = [IdentityKind.EMAIL, IdentityKind.PHONE]
    for customer_id, kind, value in Identity.objects.filter(customer_id__in=customer_ids, kind__in=kinds).values_list(
        "customer_id", "kind", "value"
    ):
        further.setdefault(customer_id, {}).setdefault(kind, []).append(value)
    found = {}
    for one in Customer.objects.filter(pk__in=customer_ids):
        more = further.get(one.pk, {})
        known = identities(one.pk, emails=[one.email, *more.get("email", ())], phones=[one.phone, *more.get("phone", ())])
        found[one.pk] = Person(one.pk, known, _address(one))
    return found


def ancestors(program_id: int, customer_id: int) -> set[int]:
    """Who brought a customer, who brought those, and so on, each with all whose memberships are one with theirs."""
    with connection.cursor() as cursor:
        values = {"organization": current_organization_id(), "program": program_id, "customer": customer_id}
        cursor.execute(_ANCESTORS, values)
        return {row[0] for row in cursor.fetchall()}


def program_figures(program_id: int, location_ids: Collection[int] | None = None) -> ReferralFigures:
    """What referrals came to in a program; revenue is that of some locations, or of all."""
    return _figures(Q(program_id=program_id), location_ids)


def member_figures(member_id: int, location_ids: Collection[int] | None = None) -> ReferralFigures:
    """What the referrals of one member came to, with those of memberships that moved to theirs."""
    return _figures(Q(referrer_id__in=family_of([member_id])), location_ids)


def referrers(program_id: int) -> QuerySet[Member, Any]:
    """Members who referred somebody, those first whose friends bought; with how many came (``all``), how many ``bought``, and the ``points``."""
    bought = Q(referrals__state__in=[ReferralState.QUALIFIED, ReferralState.REWARDED])
    points = Sum(F("referrals__referrer_points") + F("referrals__referee_points"))
    members = Member.objects.filter(program_id=program_id, referrals__isnull=False).select_related("customer")
    counted = members.annotate(bought=Count("referrals", filter=bought), all=Count("referrals"), points=points)
    return counted.order_by("-bought", "-all", "pk")


def revenue_by_referrer(member_ids: Collection[int], location_ids: Collection[int] | None = None) -> dict[int, int]:
    """What those whom each of these members referred bought since they came; who brought nothing is left out."""
    rows = Referral.objects.filter(STANDING, referrer__in=member_ids).order_by().values("referrer")
    return {row["referrer"]: row["sum"] for row in rows.annotate(sum=Sum(_spent(location_ids))) if row["sum"]}


def _figures(which: Q, location_ids: Collection[int] | None) -> ReferralFigures:
    points = Sum(F("referrer_points") + F("referee_points"))
    flagged = Count("pk", filter=STANDING & ~Q(flags=[]))
    found = Referral.objects.filter(which).order_by().values("state", "rejection")
    rows = list(found.annotate(count=Count("pk"), points=points, flagged=flagged))
    states = {row["state"]: row["count"] for row in rows if not row["rejection"]}
    return ReferralFigures(
        **{state: states.get(state, 0) for state in ("invited", "joined", "qualified", "rewarded")},
        rejected={row["rejection"]: row["count"] for row in rows if row["rejection"]},
        flagged=sum(row["flagged"] for row in rows),
        points=sum(row["points"] for row in rows),
        revenue_minor=_revenue(which, location_ids),
    )


def _revenue(which: Q, location_ids: Collection[int] | None) -> int:
    """What the referred bought since they came, less what they gave back."""
    return int(Referral.objects.filter(which, STANDING).aggregate(sum=Coalesce(Sum(_spent(location_ids)), 0))["sum"])


def _spent(location_ids: Collection[int] | None) -> Subquery:
    since = purchases_within(location_ids).filter(customer=OuterRef("customer"), purchased_at__gte=OuterRef("joined_at"))
    return Subquery(since.order_by().values("customer").values(sum=Sum("total_minor")))


def _address(customer: Customer) -> str:
    if not (customer.street and (customer.postal_code or customer.city)):
        return ""
    parts = (customer.street, customer.postal_code, customer.city, customer.country)
    return "|".join(" ".join(part.lower().split()) for part in parts)
