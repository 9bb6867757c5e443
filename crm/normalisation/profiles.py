"""What the coded fields of a profile may hold; empty is for the caller to know."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any, Final

from accounts.timezones import time_zones
from crm.normalisation.amounts import check_birthday
from crm.normalisation.errors import NormalisationError

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,4})?")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


def _check_language(code: str, _today: date) -> None:
    if not _LANGUAGE.fullmatch(code):
        raise NormalisationError("language", "This is not a language code such as en or fa.")


def _check_time_zone(name: str, _today: date) -> None:
    if name not in time_zones():
        raise NormalisationError("time_zone", "This is not a time zone such as Asia/Tehran.")


def _check_country(code: str, _today: date) -> None:
    if not _COUNTRY.fullmatch(code):
        raise NormalisationError("country", "This is not a country code such as US or IR.")


PROFILE_RULES: Final[dict[str, Callable[[Any, date], None]]] = {
    "birthday": check_birthday,
    "language": _check_language,
    "time_zone": _check_time_zone,
    "country": _check_country,
}
