"""From a sender's row to the messenger that sends through it."""

from __future__ import annotations

from messaging.channels.base import Messenger, transport
from messaging.channels.email import transports as _email  # noqa: F401 - importing registers them
from messaging.models import SenderAccount


def open_messenger(account: SenderAccount, *, is_trial: bool = False) -> Messenger:
    """Return the messenger of a sender; a trial uses one line and gives up at the first failure.

    Raises:
        UnsupportedFeatureError: its kind or one of its options is unknown.
    """
    values = {**account.options, **account.credentials, "connections": account.connections}
    if is_trial:
        values |= {"connections": 1, "failures_until_trouble": 1, "refusals_until_trouble": 3}
    return transport(account.channel, account.kind).open(values)
