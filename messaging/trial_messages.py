"""A few messages sent while somebody waits, outside every ledger: they count nowhere and nothing in them is tracked."""

import os
import secrets
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.utils.translation import gettext as _

from accounts.queries import current_organization
from crm.models import Customer
from messaging.channels.base import Fate, Outcome, Outgoing
from messaging.channels.registry import open_messenger
from messaging.content.frame import MessageSource
from messaging.content.message import CompiledMessage, compile_message
from messaging.content.validation import sample_context
from messaging.content.wire import to_seven_bit
from messaging.models import SenderAccount
from messaging.sending.mailing import frame_of
from messaging.variables import known_variables, load_contexts

MARK = "[Test]"
# Ids that no delivery will ever have, so that the tokens of a trial name nobody.
FIRST_TRIAL_ID = 2**62


@dataclass(frozen=True, slots=True)
class Trial:
    """To which addresses a trial message left, and why it did not to others."""

    sent: Sequence[str]
    refused: Mapping[str, str]


class TrialError(Exception):
    """A trial message could not be sent; the text says why."""


def send_trial(
    *,
    source: MessageSource,
    account: SenderAccount,
    addresses: Sequence[str],
    customer: Customer | None,
    now: datetime,
    unsubscribable: bool = True,
) -> Trial:
    """Send a message as ``customer`` would see it (else with sample values) to these addresses.

    Raises:
        MessageRejectedError: the message does not compile.
        RenderError: it cannot be made for this customer.
        TrialError: the sender's server took none of it.
    """  # fmt: skip
    frame = replace(frame_of(account, current_organization(), unsubscribable=unsubscribable), tracked=False)
    message = compile_message(replace(source, subject=f"{MARK} {source.subject}"), frame)
    outgoing = [_outgoing(message, account, address, _context(message, source, customer, now)) for address in addresses]
    store = _Trials(outgoing)
    try:
        report = open_messenger(account, is_trial=True).run(store)
    finally:
        store.close()
    sent = [address for address in addresses if address in store.outcomes and store.outcomes[address].fate is Fate.SENT]
    otherwise = (report.trouble.reason if report.trouble else "") or _("it gave no reason")
    told = {address: outcome.text for address, outcome in store.outcomes.items() if outcome.text}
    refused = {address: told.get(address) or otherwise for address in addresses if address not in sent}
    if not sent:
        reason = next(iter(told.values()), otherwise)
        raise TrialError(_("The mail server did not take the message: %(reason)s") % {"reason": reason})
    return Trial(sent, refused)


def _context(message: CompiledMessage, source: MessageSource, customer: Customer | None, now: datetime) -> dict[str, Any]:
    if customer is None:
        return sample_context(known_variables())
    return load_contexts(customer_ids=[customer.pk], names=message.variables, language=source.language, now=now)[customer.pk]


def _outgoing(message: CompiledMessage, account: SenderAccount, address: str, context: dict[str, Any]) -> Outgoing:
    number = FIRST_TRIAL_ID + secrets.randbits(60)
    recipient = {**context["recipient"], "address": address}
    body = message.render({**context, "recipient": recipient}, number)
    return Outgoing(number, account.from_email, address, body, seven_bit=partial(to_seven_bit, boundary=message.boundary))


class _Trials:
    """The store of a messenger for messages that nobody has to account for."""

    def __init__(self, messages: Sequence[Outgoing]) -> None:
        self._waiting = deque(messages)
        self._ready = os.eventfd(1)
        self.outcomes: dict[str, Outcome] = {}

    def close(self) -> None:
        os.close(self._ready)

    def fileno(self) -> int:
        return self._ready

    def take(self) -> Outgoing | None:
        return self._waiting.popleft() if self._waiting else None

    def backlog(self) -> int:
        return len(self._waiting)

    def exhausted(self) -> bool:
        return not self._waiting

    def record(self, outgoing: Outgoing, outcome: Outcome) -> None:
        self.outcomes[outgoing.recipient] = outcome

    def give_back(self, outgoing: Outgoing) -> None:
        # Given back means: not now. A person who waits hears so instead of waiting for another time.
        self.outcomes[outgoing.recipient] = Outcome(Fate.RETRY)

    def has_news(self) -> bool:
        return False

    def permit(self, starting: Sequence[Outgoing]) -> None:
        pass

    def permitted(self) -> bool:
        return True
