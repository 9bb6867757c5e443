"""The ledger's own idempotency key, made of the request's."""

import hashlib
from typing import ClassVar

from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail

from accounts.api.errors import ParameterError
from accounts.api.idempotency import HEADER
from accounts.api.views import ApiViewSet


class KeyedViewSet(ApiViewSet):
    """A viewset of which the actions in ``keyed`` need an ``Idempotency-Key``: points move once, however often it is asked."""

    keyed: ClassVar[frozenset[str]] = frozenset()

    @property
    def ledger_key(self) -> str:
        """What the request's key is in the ledger, where it is known for ever; callers do not share keys.

        Raises:
            ParameterError: the request has none.
        """
        if not (key := self.request.headers.get(HEADER)):
            raise ParameterError({HEADER: [ErrorDetail(_("Points are moved under a key of your own only."), code="required")]})
        caller = f"{self.actor.kind}:{self.actor.id}:{key}"
        return f"api:{hashlib.sha256(caller.encode()).hexdigest()[:40]}"
