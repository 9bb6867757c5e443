"""Vouchers: used exactly once, and expired."""

from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.audit import Actor, record_audit
from loyalty.codes import plain_code
from loyalty.ledger.bought import check_open, locked_vouchers
from loyalty.ledger.lapsed import believed
from loyalty.ledger.posting import KeyReusedError
from loyalty.ledger.stock import tell
from loyalty.models import Voucher, VoucherState


class UnknownVoucherError(LookupError):
    """No voucher of the organization has this code."""


class VoucherNotUsedError(ValueError):
    """There is no use of the voucher to undo."""


class CashDueError(ValueError):
    """The voucher is used by paying exactly ``due_minor``, and something else was paid."""

    def __init__(self, due_minor: int) -> None:
        super().__init__(due_minor)
        self.due_minor = due_minor


@transaction.atomic
def use_voucher(
    *,
    code: str,
    key: str,
    now: datetime,
    actor: Actor,
    location_id: int | None = None,
    paid_minor: int = 0,
    occurred_at: datetime | None = None,
) -> Voucher:
    """Give out what a voucher stands for. Of two tills that use it at once one succeeds; the same request again is a no-op.

    Args:
        occurred_at: when it was done; a voucher that expired since then was good (see ``ledger.lapsed``).

    Raises:
        UnknownVoucherError: there is no such voucher.
        CashDueError: what was paid is not what is due with it.
        VoucherNotOpenError: it was used or cancelled, or has expired.
        KeyReusedError: the key came with another voucher before.
    """
    voucher = _locked(code)
    if voucher.used_key == key:
        return voucher
    if Voucher.objects.filter(used_key=key).exists():
        raise KeyReusedError(key)
    if paid_minor != voucher.cash_minor:
        raise CashDueError(voucher.cash_minor)
    at = max(believed(occurred_at, now), voucher.issued_at)
    if not (voucher.state == VoucherState.EXPIRED and voucher.expires_at and at < voucher.expires_at):
        check_open(voucher, at)
    voucher.state, voucher.used_at, voucher.used_location_id, voucher.used_key = VoucherState.USED, at, location_id, key
    _save_used(voucher)
    record_audit(action="voucher.used", subject=voucher, actor=actor, after={"location": location_id, "paid_minor": paid_minor})
    tell("voucher.used", voucher, at)
    return voucher


@transaction.atomic
def undo_use(*, code: str, key: str, now: datetime, actor: Actor) -> Voucher:
    """Take back that a voucher was used: it can be used again, or has expired if its time is over; the same request again is a no-op.

    Raises:
        UnknownVoucherError: there is no such voucher.
        VoucherNotUsedError: it is not used.
    """
    voucher = _locked(code)
    if voucher.undone_key == key:
        return voucher
    if voucher.state != VoucherState.USED:
        raise VoucherNotUsedError(code)
    before = {"used_at": voucher.used_at, "location": voucher.used_location_id}
    is_over = voucher.expires_at is not None and voucher.expires_at <= now
    voucher.state = VoucherState.EXPIRED if is_over else VoucherState.ISSUED
    voucher.used_at, voucher.used_location, voucher.undone_key = None, None, key
    voucher.save(update_fields=["state", "used_at", "used_location", "undone_key"])
    record_audit(action="voucher.use_undone", subject=voucher, actor=actor, before=before, after={"state": voucher.state})
    tell("voucher.use_undone", voucher, now)
    if is_over:
        tell("voucher.expired", voucher, now)
    return voucher


def _save_used(voucher: Voucher) -> None:
    try:
        with transaction.atomic():
            voucher.save(update_fields=["state", "used_at", "used_location", "used_key"])
    except IntegrityError as error:
        # Another till used the key for another voucher meanwhile.
        if "voucher_used_key" in str(error):
            raise KeyReusedError(voucher.used_key) from error
        raise


def _locked(code: str) -> Voucher:
    if (voucher := locked_vouchers().filter(code=plain_code(code)).first()) is None:
        raise UnknownVoucherError(code)
    return voucher


@transaction.atomic
def expire_vouchers(*, now: datetime, limit: int = 1_000) -> int:
    """Mark vouchers whose time is over; they could not be used since then. Returns how many there were, up to ``limit``."""
    over = Voucher.objects.select_for_update(skip_locked=True, of=("self",)).select_related("reward", "member")
    vouchers = list(over.filter(state=VoucherState.ISSUED, expires_at__lte=now).order_by("expires_at", "pk")[:limit])
    Voucher.objects.filter(pk__in=[voucher.pk for voucher in vouchers]).update(state=VoucherState.EXPIRED)
    for voucher in vouchers:
        assert voucher.expires_at is not None
        tell("voucher.expired", voucher, voucher.expires_at)
    return len(vouchers)
