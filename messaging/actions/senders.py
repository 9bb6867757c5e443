"""Writes of senders."""

from typing import Any

from django.db import transaction

from accounts.audit import Actor, record_audit
from messaging.channels.registry import open_messenger
from messaging.models import SenderAccount


@transaction.atomic
def create_sender(*, actor: Actor, credentials: Any, **values: Any) -> SenderAccount:
    """Create a sender that can be opened with its settings; credentials are kept encrypted and never told.

    Raises:
        ValidationError: per field.
        UnsupportedFeatureError: its kind or one of its options is unknown.
    """
    account = SenderAccount(credentials=credentials, **values)
    account.validate()
    open_messenger(account)
    account.save(force_insert=True)
    after = {**values, **({"credentials": "given"} if credentials else {})}
    record_audit(action="sender_account.created", subject=account, actor=actor, after=after)
    return account
