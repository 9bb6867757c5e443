"""Errors as problem details (RFC 9457), each with the place in the request it is about."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import DataError, IntegrityError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from redis.exceptions import RedisError
from rest_framework import status
from rest_framework.exceptions import APIException, ErrorDetail, NotFound, ValidationError
from rest_framework.exceptions import PermissionDenied as ApiPermissionDenied
from rest_framework.response import Response
from rest_framework.settings import api_settings

from accounts.api.constraints import taken_meanwhile, told_at_members
from accounts.refusals import StandingError

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:regulars:problem:"
# The same for every problem of a status, as RFC 9457 wants it; ``detail`` tells of this one.
TITLES = {
    400: gettext_lazy("The request is not valid."),
    401: gettext_lazy("The caller is not known."),
    403: gettext_lazy("The caller may not do this."),
    404: gettext_lazy("There is no such thing here."),
    405: gettext_lazy("This cannot be done here."),
    409: gettext_lazy("This contradicts how things stand."),
    413: gettext_lazy("The request is too large."),
    415: gettext_lazy("The request is of the wrong kind."),
    429: gettext_lazy("There are too many requests."),
    500: gettext_lazy("Something went wrong; nothing was changed."),
    503: gettext_lazy("This is not available just now."),
}

Place = tuple[str | int, ...]


class Conflict(APIException):
    """What was asked contradicts how things stand.

    ``problems`` lists what has to be mended first; ``facts`` are further members of the answer that say how things stand.
    """

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"

    def __init__(
        self,
        detail: str,
        code: str | None = None,
        problems: Sequence[Mapping[str, Any]] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail, code)
        self.problems, self.facts = problems, facts


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"


class Unavailable(APIException):
    """Too slow or too busy just now; the same request may succeed later."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"


class ParameterError(ValidationError):
    """A query parameter that cannot be used; ``detail`` is keyed by its name."""


def problem_response(exc: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an exception of a view, or ``None`` for one that nobody foresaw.

    ``context`` has the request, or for one that is none the ``body`` alone.
    """
    request: Any = context.get("request")
    if isinstance(exc, IntegrityError):
        exc = taken_meanwhile(exc, context.get("body", getattr(request, "data", {}))) or exc
    known = _as_api_exception(exc)
    if known is None:
        return None
    body = problem(known, instance=request.path if request else "")
    return Response(body, status=known.status_code, headers=_headers(known), content_type=CONTENT_TYPE)


def problem(exc: APIException, *, instance: str = "") -> dict[str, Any]:
    """Problem details of an exception."""
    if isinstance(exc, ValidationError):
        key = "parameter" if isinstance(exc, ParameterError) else "pointer"
        errors = [{key: _written(place, key), "code": item.code or "invalid", "detail": str(item)} for place, item in _flat(exc.detail)]
        return _body("invalid", exc.status_code, _first(errors), instance, errors)
    detail = exc.detail if isinstance(exc.detail, ErrorDetail) else ErrorDetail(str(exc.detail), code=exc.default_code)
    body = _body(detail.code or "error", exc.status_code, str(detail), instance)
    body |= getattr(exc, "facts", None) or {}
    problems = getattr(exc, "problems", None)
    return body if problems is None else {**body, "problems": list(problems)}


@contextmanager
def called(**members: str) -> Iterator[None]:
    """Tell what an action says of its field at the member of the body that has another name."""
    try:
        yield
    except ModelValidationError as error:
        if not hasattr(error, "error_dict"):
            raise
        raise ModelValidationError({members.get(name, name): items for name, items in error.error_dict.items()}) from error


def placed(items: Iterable[tuple[Place, str, str]]) -> dict[str, Any]:
    """The ``detail`` of a ValidationError whose faults lie at (place, code, text) inside a field."""
    tree: dict[str, Any] = {}
    for place, code, text in items:
        node = tree
        for part in place:
            node = node.setdefault(str(part), {})
        node.setdefault(api_settings.NON_FIELD_ERRORS_KEY, []).append(ErrorDetail(text, code=code))
    return tree


def _body(code: str, status_code: int, detail: str, instance: str, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    title = str(TITLES.get(status_code, HTTPStatus(status_code).phrase))
    body: dict[str, Any] = {"type": TYPE_PREFIX + code, "title": title, "status": status_code, "detail": detail, "instance": instance}
    return body if errors is None else {**body, "errors": errors}


def _first(errors: list[dict[str, str]]) -> str:
    return errors[0]["detail"] if errors else ""


def _flat(detail: Any, place: Place = ()) -> Iterator[tuple[Place, ErrorDetail]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            # What belongs to no field belongs to the object that holds the fields.
            whole = name in ("__all__", api_settings.NON_FIELD_ERRORS_KEY)
            yield from _flat(inner, place if whole else (*place, name))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from _flat(inner, place if isinstance(inner, ErrorDetail) else (*place, index))
    else:
        yield place, detail


def _written(place: Place, key: str) -> str:
    if key == "parameter":
        return ".".join(str(part) for part in place)
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def _headers(exc: APIException) -> dict[str, str]:
    headers = {}
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, int(wait)))
    return headers


def _as_api_exception(exc: Exception) -> APIException | None:
    match exc:
        case APIException():
            return exc
        case StandingError():
            return Conflict(" ".join(exc.messages), code=exc.code, facts=exc.facts)
        case ModelValidationError():
            return ValidationError(_details(exc))
        case Http404():
            return NotFound()
        case PermissionDenied():
            return ApiPermissionDenied()
        case RequestDataTooBig():
            return BodyTooLarge(_("The request is too large."))
        case SuspiciousOperation():
            return ValidationError(_("The request is malformed."))
        case DataError():
            return ValidationError(_("A value is outside of what can be stored."), code="unstorable")
        case IntegrityError():
            return Conflict(_("This contradicts a change that somebody else made at the same moment; read it again and retry."))
        case OperationalError():
            return _busy(exc)
        case RedisError():
            return Unavailable(_("A part of the product cannot be reached just now; nothing was changed."))
        case _:
            return None


def _details(exc: ModelValidationError) -> Any:
    if hasattr(exc, "error_dict"):
        return {name: [ErrorDetail(text, code) for code, text in items] for name, items in told_at_members(exc).items()}
    return [ErrorDetail(" ".join(item.messages), code=item.code or "invalid") for item in exc.error_list]


def _busy(exc: OperationalError) -> APIException | None:
    match getattr(exc.__cause__, "sqlstate", None):
        case "57014":  # query_canceled: statement_timeout
            return Unavailable(_("This took too long and was stopped; ask for less at once."), code="too_slow")
        case "40001" | "40P01" | "55P03":  # serialization_failure, deadlock_detected, lock_not_available
            return Conflict(_("Somebody else is changing the same things; retry."), code="busy")
        case _:
            return None
