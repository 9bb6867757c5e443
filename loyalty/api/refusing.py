"""Refusals of the ledger, of rewards and of tills in the API's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail, NotFound, ValidationError

from accounts.api.errors import Conflict
from loyalty.actions.holds import CaptureError, HoldResolvedError
from loyalty.actions.points import NotEarnedError, NotUndoableError
from loyalty.actions.stamps import CardInUseError, StampRefusedError
from loyalty.actions.vouchers import CashDueError, UnknownVoucherError, VoucherNotUsedError
from loyalty.ledger.bought import PriceError, VoucherNotOpenError
from loyalty.ledger.posting import KeyReusedError, PointsError
from loyalty.ledger.stock import RewardRefusedError
from loyalty.ledger.store import UnknownMemberError
from loyalty.refusals import PointsRefusedError, TillRefusedError, too_few
from loyalty.rules.postings import InsufficientPointsError


@contextmanager
def refusals_told() -> Iterator[None]:
    """Answer 409 where points, holds, rewards or vouchers do not allow what was asked, 404 where they are unknown."""
    try:
        yield
    except InsufficientPointsError as error:
        raise _insufficient(error) from error
    except PointsRefusedError as error:
        raise _refused(error) from error
    except KeyReusedError as error:
        raise _key_reused() from error
    except HoldResolvedError as error:
        message = _("The hold was captured, released or has lapsed.")
        raise Conflict(message, code="hold_resolved", facts={"state": str(error.state)}) from error
    except CaptureError as error:
        raise Conflict(_("More was to be captured than is held."), code="above_hold") from error
    except (NotUndoableError, NotEarnedError) as error:
        raise Conflict(_("There is nothing to undo here any more. Nothing was changed."), code="not_undoable") from error
    except PointsError as error:
        raise ValidationError({"points": [ErrorDetail(_("No entry can be about so many points."), code="invalid")]}) from error
    except (UnknownMemberError, UnknownVoucherError) as error:
        raise NotFound from error
    except RewardRefusedError as error:
        raise Conflict(_("The member cannot have this reward now."), code="reward_refused", facts={"reason": str(error.reason)}) from error
    except PriceError as error:
        raise Conflict(_("A reward is redeemed and undone as a whole."), code="reward_whole") from error
    except VoucherNotOpenError as error:
        raise Conflict(
            _("The voucher was used or cancelled, or has expired."), code="voucher_not_open", facts={"state": str(error.state)}
        ) from error
    except VoucherNotUsedError as error:
        raise Conflict(_("There is nothing to undo here any more. Nothing was changed."), code="voucher_not_used") from error
    except CashDueError as error:
        message = _("The voucher is used by paying exactly what is due with it.")
        raise Conflict(message, code="cash_due", facts={"due_minor": error.due_minor}) from error


@contextmanager
def stamp_refusals_told() -> Iterator[None]:
    """Answer 409 where stamp cards do not allow what was asked."""
    try:
        yield
    except StampRefusedError as error:
        raise Conflict(_("Nothing was changed: the card takes no stamps now."), code="stamp_refused") from error
    except KeyReusedError as error:
        raise _key_reused() from error
    except CardInUseError as error:
        message = _("Members have stamps on this card, so what it counts stays. Offer a new card instead.")
        raise Conflict(message, code="card_in_use") from error


def _key_reused() -> Conflict:
    return Conflict(_("This Idempotency-Key was used for another request."), code="idempotency_key_reused")


def _insufficient(error: InsufficientPointsError) -> Conflict:
    return Conflict(str(too_few(error)), code="insufficient_points", facts={"wanted": error.wanted, "available": error.available})


def _refused(error: PointsRefusedError) -> Conflict:
    if isinstance(error.__cause__, InsufficientPointsError):
        return _insufficient(error.__cause__)
    if isinstance(error.__cause__, KeyReusedError):
        return Conflict(str(error), code="idempotency_key_reused")
    if isinstance(error.__cause__, VoucherNotOpenError):
        return Conflict(str(error), code="voucher_not_open", facts={"state": str(error.__cause__.state)})
    if isinstance(error.__cause__, NotUndoableError):
        return Conflict(str(error), code="not_undoable")
    return Conflict(str(error), code=error.code if isinstance(error, TillRefusedError) else "refused")
