"""What a member's pages tell of the friends they bring."""

from collections.abc import Collection
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts.client_addresses import client_address
from loyalty.ledger.families import family_of
from loyalty.links import join_url
from loyalty.models import Member, Referral, ReferralCode, ReferralRejection
from loyalty.queries.referrals import ReferralFigures, member_figures


def referral_block(member: Member, location_ids: Collection[int] | None = None) -> dict[str, Any]:
    """The member's code and link, once they have one, and what their referrals came to, in sales of some locations or all."""
    code = ReferralCode.objects.filter(member=member).first()
    figures = member_figures(member.pk, location_ids)
    bought = figures.qualified + figures.rewarded
    return {
        "code": code,
        "join_url": join_url(code.code) if code else "",
        "referred": figures,
        "came": figures.joined + bought,
        # The member is told of all who followed the link: were some left out, it would tell of an address that it is known here.
        "followed": figures.invited + figures.joined + bought + _rejected(figures),
        "bought": bought,
        "earned_by_friends": _earned(member),
    }


def _rejected(figures: ReferralFigures) -> int:
    """Friends who did not count; members themselves are none of theirs."""
    return sum(count for reason, count in figures.rejected.items() if reason != ReferralRejection.SELF)


def device_of(request: HttpRequest) -> str:
    """A hash of from where somebody asks; it tells the same device again, and nothing else."""
    seen = f"{client_address(request)}|{request.headers.get('User-Agent', '')}"
    return salted_hmac("loyalty.device", seen, algorithm="sha256").hexdigest()


def _earned(member: Member) -> int:
    return int(Referral.objects.filter(referrer__in=family_of([member.pk])).aggregate(sum=Sum("referrer_points"))["sum"] or 0)
