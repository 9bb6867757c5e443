"""Vouchers: found by what stands on them, and listed for a member."""

from django.db.models import QuerySet

from loyalty.codes import plain_code
from loyalty.ledger.families import family_of
from loyalty.models import Voucher, VoucherState


def find_voucher(code: str) -> Voucher | None:
    """The voucher with this code, however it was typed."""
    return Voucher.objects.select_related("reward", "member__customer", "member__program").filter(code=plain_code(code)).first()


def vouchers_of(member_id: int) -> QuerySet[Voucher]:
    """What a member got, or a membership that moved to theirs, newest first; reservations that came to nothing are left out."""
    got = Voucher.objects.select_related("reward", "used_location").filter(member_id__in=family_of([member_id]))
    return got.exclude(state=VoucherState.CANCELLED, entry=None)
