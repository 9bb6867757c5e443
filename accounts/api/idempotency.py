"""``Idempotency-Key``: a request that is sent again is answered again, not done again."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.errors import Conflict, ParameterError
from accounts.formats import format_number
from accounts.models import IdempotencyKey
from accounts.permissions import Access
from accounts.postgresql.prepared import run_prepared
from accounts.tenancy import current_organization_id

HEADER = "Idempotency-Key"
METHODS = frozenset({"POST", "PATCH", "PUT", "DELETE"})
MAX_KEY = 200
KEPT_FOR = timedelta(hours=48)
# An answer that is due to be forgotten gives its key away.
_CLAIM: Final = """
insert into accounts_idempotencykey as known (organization_id, key, request_hash, created_at, body, location)
values (%(organization)s, %(key)s, %(digest)s, %(now)s, '', '') on conflict (organization_id, key) do update
set request_hash = excluded.request_hash, created_at = excluded.created_at, status = null, body = '', location = ''
where known.created_at < %(forgotten)s and not known.is_lasting returning id
"""
_KEEP: Final = """
update accounts_idempotencykey set status = %(status)s, body = %(body)s, location = %(location)s, is_lasting = %(lasting)s
where organization_id = %(organization)s and id = %(id)s
"""


class Replayed(Exception):  # noqa: N818 - not an error: the answer is known already
    """The request was answered before; carries that answer."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


def claim(request: Request, access: Access, now: datetime) -> int | None:
    """Take the request's key for this transaction and return the id of its row; ``None`` when it has none.

    Of two requests at the same time, the second waits on the unique index: it finds the first one's answer when that
    commits, and does the work itself when that rolled back. A key therefore never outlives a failed request.

    Raises:
        Replayed: the same request was answered before.
        Conflict: the key was used for another request.
    """
    if request.method not in METHODS or HEADER not in request.headers:
        return None
    key = _checked(request.headers[HEADER])
    digest = _digest(request, access)
    wanted = {"organization": current_organization_id(), "key": key, "digest": digest, "now": now, "forgotten": now - KEPT_FOR}
    if claimed := run_prepared(_CLAIM, wanted).fetchone():
        return int(claimed[0])
    known = IdempotencyKey.objects.get(key=key)
    if known.request_hash != digest:
        raise Conflict(_("This Idempotency-Key was used for another request."), code="idempotency_key_reused")
    raise Replayed(_answer(known))


def keep_answer(claimed: int, response: Response, *, lasting: bool) -> None:
    """Store what was answered, in the transaction of what was done; for ever where it is ``lasting``."""
    answer = {"status": response.status_code, "body": response.content.decode(), "location": response.headers.get("Location", "")}
    run_prepared(_KEEP, {"organization": current_organization_id(), "id": claimed, "lasting": lasting, **answer})


def sweep_idempotency_keys(*, now: datetime) -> int:
    """Forget answers of the current organization that are older than ``KEPT_FOR`` and not lasting; returns how many."""
    return IdempotencyKey.objects.filter(created_at__lt=now - KEPT_FOR, is_lasting=False).delete()[0]


def _checked(key: str) -> str:
    if not (1 <= len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        message = _("Give 1 to %(most)s printable ASCII characters.") % {"most": format_number(MAX_KEY)}
        raise ParameterError({HEADER: [ErrorDetail(message, code="invalid_idempotency_key")]})
    return key


def _digest(request: Request, access: Access) -> str:
    # The caller is part of it: somebody else's key never reads this caller's answer.
    asked = [str(access.actor.kind), access.actor.id, request.method, request.get_full_path(), _plain(request.data)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _plain(data: Any) -> Any:
    if not hasattr(data, "lists"):
        return data
    return {name: [_file_digest(value) if isinstance(value, UploadedFile) else value for value in values] for name, values in data.lists()}


def _file_digest(upload: Any) -> str:
    digest = hashlib.sha256()
    for block in upload.chunks():
        digest.update(block)
    upload.seek(0)
    return digest.hexdigest()


def _answer(known: IdempotencyKey) -> Response:
    response = Response(json.loads(known.body) if known.body else None, status=known.status)
    response["Idempotency-Replayed"] = "true"
    if known.location:
        response["Location"] = known.location
    return response
