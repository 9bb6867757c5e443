"""E-mail addresses: what counts as one, and the single form in which it is kept.

The syntax is that of the email-validator library, without asking the DNS. An address is kept in lower case
throughout (no mailbox provider in use tells two people apart by case, and one person kept twice is the worse
mistake) and its domain as mail servers are told it (IDNA A-labels), so that one spelling identifies one person.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from email_validator import EmailNotValidError, validate_email

from crm.normalisation.errors import NormalisationError

MAX_LENGTH: Final = 254
_INVISIBLE: Final = dict.fromkeys([0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])
# Dots are single and inside; every other rule of the local part is kept by leaving the rest to the exact path.
_PLAIN: Final = re.compile(r" *([A-Za-z0-9_+\-]+(?:\.[A-Za-z0-9_+\-]+)*)@([A-Za-z0-9\-.]{3,190}) *")
_PLAIN_LINES: Final = re.compile(f"^(?:{_PLAIN.pattern}|.*)$", re.MULTILINE)


def normalise_email(text: str, *, allow_test: bool = True) -> str:
    """The address in ``text`` as it is kept; raises NormalisationError when it is none.

    ``allow_test`` admits the domains under ``.test``, which by their standard never reach anybody: demonstrations and
    rehearsals need addresses that look like any other.
    """
    return (certain_email(text) if allow_test else "") or normalise_email_exactly(text, allow_test=allow_test)


def certain_email(text: str) -> str:
    """The short cut: the kept form of a plainly written address, else the empty string ("look closer")."""
    plain = _PLAIN.fullmatch(text)
    if plain is None:
        return ""
    local, domain = plain.groups()
    kept = _kept_domain(domain) if len(local) <= 64 else ""
    return f"{local.lower()}@{kept}" if kept else ""


def certain_emails(texts: Sequence[str]) -> list[str]:
    """`certain_email` of each text; where all is ASCII they are read at once."""
    joined = "\n".join(texts)
    found = _PLAIN_LINES.findall(joined.lower()) if joined.isascii() else []
    if len(found) != len(texts) or joined.count("\n") != len(texts) - 1:
        return [certain_email(text) for text in texts]
    return [f"{local}@{kept}" if 0 < len(local) <= 64 and (kept := _kept_domain(domain)) else "" for local, domain in found]


def normalise_email_exactly(text: str, *, allow_test: bool = True) -> str:
    """What `normalise_email` answers, found without its short cut."""
    address = text.translate(_INVISIBLE).strip()
    if not address:
        raise NormalisationError("email_empty", "The e-mail address is empty.")
    if len(address) > 4 * MAX_LENGTH:
        raise NormalisationError("email_invalid", "The e-mail address is too long.")
    try:
        parsed = validate_email(address, check_deliverability=False, test_environment=allow_test, strict=True)
    except (EmailNotValidError, UnicodeError) as error:
        raise NormalisationError("email_invalid", str(error)) from error
    local = unicodedata.normalize("NFC", parsed.local_part.lower())
    kept = f"{local}@{parsed.ascii_domain.lower()}"
    if len(kept.encode()) > MAX_LENGTH:
        raise NormalisationError("email_invalid", "The e-mail address is too long.")
    return kept


def readable_email(address: str) -> str:
    """A kept address with its domain in the letters of its own script, for pages."""
    local, _, domain = address.rpartition("@")
    if "xn--" not in domain:
        return address
    try:
        return f"{local}@{validate_email(f'x@{domain}', check_deliverability=False, test_environment=True).domain}"
    except EmailNotValidError:
        return address


@lru_cache(maxsize=20_000)
def _kept_domain(domain: str) -> str:
    """The kept form of a domain, or the empty string when the whole address has to be looked at."""
    try:
        return normalise_email_exactly(f"x@{domain}", allow_test=True).removeprefix("x@")
    except NormalisationError:
        return ""
