"""What follows from a fate: try again and when, give up, or never write to this address again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from messaging.channels.base import Fate, Outcome, Stage
from messaging.sending.mark_log import LedgerFate

LONGEST_DETAIL = 300
# RFC 3463: the mailbox or its domain does not exist, has moved, is disabled, or its name is impossible.
_DEAD_ADDRESS = re.compile(r"^5\.(1\.(1|2|3|6|10)|2\.1)$")
_ANY_ADDRESS = "5.1.0"  # something about an address, perhaps the sender's: the words decide
_DEAD_CODES = {550, 551, 553}
_ABOUT_US = re.compile(
    r"spam|block|black ?list|deny ?list|reputation|policy|spf|dkim|dmarc|relay|rate|too many|authenticat|banned|listed|greylist"
    r"|sender|access denied",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """How often and how long a temporary refusal is tried again."""

    first_seconds: float = 60.0
    factor: float = 3.0
    longest_seconds: float = 6 * 3600.0
    attempts: int = 8
    jitter: float = 0.2

    def delay(self, attempt: int, chance: float) -> float:
        """Return the seconds to wait after this attempt (from 1); `chance` in [0, 1) spreads the crowd."""
        plain = min(self.longest_seconds, self.first_seconds * self.factor ** (attempt - 1))
        return plain * (1 - self.jitter + 2 * self.jitter * chance)


def is_dead_address(outcome: Outcome) -> bool:
    """Tell whether a refusal says that the address does not exist, rather than anything about us or the message."""
    if outcome.fate is not Fate.FAILED or outcome.stage not in (Stage.RECIPIENT, Stage.CONTENT, Stage.BODY):
        return False
    if outcome.enhanced and outcome.enhanced != _ANY_ADDRESS:
        return bool(_DEAD_ADDRESS.match(outcome.enhanced))
    return outcome.stage is Stage.RECIPIENT and outcome.code in _DEAD_CODES and not _ABOUT_US.search(outcome.text)


def ledger_fate(
    delivery_id: int, outcome: Outcome, *, attempts: int, plan: RetryPlan, now: float, chance: Callable[[], float]
) -> LedgerFate:
    """Put a fate other than "sent" into the ledger's words; `attempts` were made before this one."""
    enhanced = "" if outcome.text.startswith(outcome.enhanced) else outcome.enhanced  # a server repeats it in its words
    detail = " ".join(part for part in (str(outcome.code or ""), enhanced, outcome.text) if part)[:LONGEST_DETAIL]
    if outcome.fate is Fate.AMBIGUOUS:
        return LedgerFate(delivery_id, "ambiguous", "line_lost", detail)
    if outcome.fate is Fate.RETRY:
        if attempts + 1 >= plan.attempts:
            return LedgerFate(delivery_id, "failed", "gave_up", detail)
        again_at = now + plan.delay(attempts + 1, chance())
        return LedgerFate(delivery_id, "retrying", "temporary", detail, again_at)
    if is_dead_address(outcome):
        return LedgerFate(delivery_id, "bounced", "no_such_address", detail)
    reason = "not_made" if outcome.stage is Stage.RENDER else "refused"
    return LedgerFate(delivery_id, "failed", reason, detail)
