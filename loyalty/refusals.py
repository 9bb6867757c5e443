"""Why something was not done with points, in words for people."""

from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.formats import format_number
from loyalty.rules.limits import Limit
from loyalty.rules.postings import InsufficientPointsError

Counted = Callable[[int], str]


class PointsRefusedError(Exception):
    """Nothing was changed; the message says why."""


def points(count: int) -> str:
    """``1,250 points``."""
    return ngettext("%(count)s point", "%(count)s points", count) % {"count": format_number(count)}


def stamps(count: int) -> str:
    """``12 stamps``."""
    return ngettext("%(count)s stamp", "%(count)s stamps", count) % {"count": format_number(count)}


def too_few(error: InsufficientPointsError) -> PointsRefusedError:
    """More was asked for than is there."""
    words = _("There are %(available)s, and %(wanted)s were asked for. Nothing was changed.")
    return PointsRefusedError(words % {"available": points(error.available), "wanted": format_number(error.wanted)})


def over_limit(limit: Limit, *, most: int, counted: Counted) -> PointsRefusedError:
    """More than the role may give or take."""
    if most <= 0:
        words = _(
            "Your role gives and takes %(day)s a day at most, and that is used up. Nothing was changed; ask somebody who may do more."
        )
    elif most < limit.per_action:
        words = _("Of the %(day)s that your role may give and take in a day, %(most)s are left. Nothing was changed.")
    else:
        words = _("Your role gives and takes %(action)s at a time at most. Nothing was changed; ask somebody who may do more.")
    return PointsRefusedError(words % {"day": counted(limit.per_day), "most": format_number(most), "action": counted(limit.per_action)})


class TillRefusedError(PointsRefusedError):
    """What a till asked for cannot be; ``code`` says why to programs."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


def fewer_than_smallest(smallest: int) -> TillRefusedError:
    """Fewer points than the terms let be redeemed."""
    return TillRefusedError(_("At least %(smallest)s have to be redeemed.") % {"smallest": points(smallest)}, code="below_smallest")


def worth_more_than_goods(most: int) -> TillRefusedError:
    """More points than the goods cost."""
    return TillRefusedError(_("The goods can be paid with %(most)s at most.") % {"most": points(most)}, code="above_total")
