"""What a failed request to a provider makes of a message.

Only what cannot have left is tried again: a provider that fell silent, failed midway or mumbled may have taken it.
An outcome at the stage `SENDER` is about the account and would be every message's; its message may leave later.
"""

from __future__ import annotations

import ssl
from traceback import walk_tb

import requests
from anymail.exceptions import AnymailAPIError
from urllib3.exceptions import HTTPError, NewConnectionError, SSLError
from urllib3.exceptions import ProxyError as NoProxyError

from messaging.channels.base import Fate, Outcome, Stage

# A gateway's words, or those of a program that broke while it had the message.
MAY_HAVE_TAKEN = {500, 502, 504}
# The key, the bill, the address of the service or of the domain.
REFUSED_ACCOUNT = {401, 402, 403, 404, 405}
_NO_REQUEST = (requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL)


def outcome_of(error: AnymailAPIError) -> Outcome:
    """The fate of a message whose request ended in this error."""
    code = error.status_code or 0
    if code in MAY_HAVE_TAKEN or 200 <= code < 300:
        return Outcome(Fate.AMBIGUOUS, Stage.BODY, code, text=words_of(error))
    if code in REFUSED_ACCOUNT:
        return Outcome(Fate.RETRY, Stage.SENDER, code, text=words_of(error))
    if code == 429 or code >= 500:
        return Outcome(Fate.RETRY, Stage.CONNECT, code, text=words_of(error))
    cause = error.__cause__
    if code or not isinstance(cause, requests.RequestException):
        return Outcome(Fate.FAILED, Stage.CONTENT, code, text=words_of(error))
    if _is_wrong_setting(cause):
        return Outcome(Fate.RETRY, Stage.SENDER, text=words_of(error))
    if _has_not_left(cause):
        return Outcome(Fate.RETRY, Stage.CONNECT, text=words_of(error))
    return Outcome(Fate.AMBIGUOUS, Stage.BODY, text=words_of(error))


def words_of(error: Exception) -> str:
    """An error's words on one line."""
    return " ".join(str(error).split())[:300]


def _is_wrong_setting(cause: requests.RequestException) -> bool:
    """Whether no request could be made of the address or the key, or the other side is not who it should be."""
    if isinstance(cause, requests.exceptions.InvalidHeader):
        return not isinstance(cause.args[0], HTTPError)  # else it is the answer whose headers are odd
    return isinstance(cause, _NO_REQUEST) or isinstance(_tls_error(cause), ssl.SSLCertVerificationError)


def _has_not_left(cause: requests.RequestException) -> bool:
    """Whether the connection never stood: no address, nobody there, no way through the proxy, no handshake."""
    if isinstance(cause, requests.ConnectTimeout) or isinstance(_reason(cause), NewConnectionError | NoProxyError):
        return True
    error = _tls_error(cause)
    # TLS also fails in the middle of an answer, with the same errors.
    return error is not None and any(frame.f_code.co_name == "do_handshake" for frame, _ in walk_tb(error.__traceback__))


def _reason(cause: requests.RequestException) -> Exception | None:
    return getattr(cause.args[0], "reason", None) if cause.args else None


def _tls_error(cause: requests.RequestException) -> ssl.SSLError | None:
    reason = _reason(cause)
    error = reason.args[0] if isinstance(reason, SSLError) and reason.args else None
    return error if isinstance(error, ssl.SSLError) else None
