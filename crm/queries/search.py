"""Finding a customer among a million, in milliseconds, from whatever the counter types."""

from contextlib import suppress

from django.db.models import CharField, EmailField, Lookup, Q, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from phonenumbers import country_code_for_region

from accounts.pagination import COUNTED_AT_MOST
from crm.models import Customer
from crm.normalisation.digits import latin_digits
from crm.normalisation.emails import normalise_email
from crm.normalisation.errors import NormalisationError
from crm.normalisation.names import search_key
from crm.normalisation.phones import normalise_phone

SHORTEST_PHONE = 3
NUL = "\0"  # in no text of ours, since PostgreSQL's texts cannot hold it
LAST_CODE_POINT = chr(0x10FFFF)


class BytePrefix(Lookup[str]):
    """``column__prefix="ab"`` by byte order, with operators that may pass the tenant wall.

    LIKE is not leak-proof, so under row-level security PostgreSQL would filter the whole organization with it
    instead of using the index; these comparisons are.
    """

    lookup_name = "prefix"
    below, above = "~<~", "~>=~"

    def as_sql(self, compiler: SQLCompiler, connection: object) -> tuple[str, tuple[str | int, ...]]:
        column, parameters = self.process_lhs(compiler, connection)  # type: ignore[arg-type]  # any connection
        text = str(self.rhs)
        if not (after := _after(text)):
            return f"({column} {self.above} %s)", (*parameters, text)
        return f"({column} {self.above} %s AND {column} {self.below} %s)", (*parameters, text, *parameters, after)


class CollatedPrefix(BytePrefix):
    """The same for columns whose index follows the database's collation."""

    lookup_name = "collated_prefix"
    below, above = "<", ">="


def _after(text: str) -> str:
    """The first text behind all that begin with ``text``; empty if none is."""
    text = text.rstrip(LAST_CODE_POINT)  # nothing follows it, so what follows the text before it is next
    if not text:
        return ""
    last = ord(text[-1]) + 1
    return text[:-1] + chr(0xE000 if 0xD800 <= last < 0xE000 else last)


for field in (CharField, EmailField):
    field.register_lookup(BytePrefix)
    field.register_lookup(CollatedPrefix)


def find_customers(text: str, *, region: str, at_most: int | None = COUNTED_AT_MOST + 1) -> QuerySet[Customer]:
    """Customers whose name, phone, e-mail or number begins with what was typed; all of them for an empty text.

    Args:
        region: the organization's, for phone numbers typed without a country code.
        at_most: as many are sorted by name as can be paged through, however many begin with one letter; None is all,
            for those who narrow further: which of them are cut off is chance.
    """
    if NUL in text:
        return Customer.objects.none()
    words = latin_digits(text).strip()
    if not words:
        return Customer.objects.all()
    if "@" in words:
        return _by_email(kept_email(words))
    if _looks_like_phone(words):
        return _by_phone(words, region)
    return _by_name(words, at_most)


def kept_email(text: str) -> str:
    """An address, or its beginning, as addresses are kept; a domain in its own letters is found once it is whole."""
    if not text.isascii():
        with suppress(NormalisationError):
            return normalise_email(text)
    return text.lower()


def _by_email(words: str) -> QuerySet[Customer]:
    return Customer.objects.filter(~Q(email=""), email__collated_prefix=words).order_by("email")


def _by_phone(words: str, region: str) -> QuerySet[Customer]:
    try:
        found = Q(phone=normalise_phone(words, region=region))
    except NormalisationError:
        found = Q(phone__collated_prefix=_international(words, region))
    return Customer.objects.filter(found & ~Q(phone="") | Q(external_id=words) & ~Q(external_id="")).order_by("-id")


def _by_name(words: str, at_most: int | None) -> QuerySet[Customer]:
    number = Q(external_id=words) & ~Q(external_id="")
    if not (key := search_key(words)):
        return Customer.objects.filter(number)
    named = Q(search_key__prefix=key) | number if any(char.isdigit() for char in words) else Q(search_key__prefix=key)
    first = Customer.objects.filter(named).order_by().values("pk")[:at_most]
    return Customer.objects.filter(pk__in=first).order_by("search_key", "id")


def find_by_any_word(text: str) -> QuerySet[Customer]:
    """Customers one of whose names, not only the first, begins with ``text``: a slower second look."""
    key = search_key(latin_digits(text))
    if not key or NUL in text:
        return Customer.objects.none()
    return Customer.objects.filter(search_key__contains=f" {key}").order_by("search_key", "id")


def _looks_like_phone(words: str) -> bool:
    digits = sum(char.isdigit() for char in words)
    return digits >= SHORTEST_PHONE and all(char.isdigit() or char in "+-() ." for char in words)


def _international(words: str, region: str) -> str:
    """The beginning of a number as it is kept: ``0912`` in Iran begins ``+98912``."""
    digits = "".join(char for char in words if char.isdigit())
    if words.startswith("+"):
        return f"+{digits}"
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    return f"+{country_code_for_region(region)}{digits.lstrip('0')}"
