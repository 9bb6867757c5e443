"""Which refusals end an address, and which only say something about us."""

import pytest

from messaging.channels.base import Fate, Outcome, Stage
from messaging.sending.rules import is_dead_address


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "is_dead"),
    [
        (550, "5.1.1", "5.1.1 No such user", True),
        (550, "5.1.0", "5.1.0 Address rejected", True),
        (550, "5.1.0", "5.1.0 Sender rejected", False),
        (550, "", "No such user here", True),
        (550, "", "Sender verify failed", False),
        (550, "", "Access denied", False),
        (554, "5.7.1", "5.7.1 Relay access denied", False),
    ],
)
def test_only_a_refusal_of_the_recipient_ends_an_address(code: int, enhanced: str, text: str, is_dead: bool) -> None:
    assert is_dead_address(Outcome(Fate.FAILED, Stage.RECIPIENT, code, enhanced, text)) is is_dead
