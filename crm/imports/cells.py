"""Rules for one cell each: the text of a column in, the text that COPY takes out, or what is wrong with it.

A rule is a dictionary that computes what it misses, so a column of values that repeat costs a look-up each.
Rules of identities reject the whole row; other rules leave a wrong value out and note it.
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache, partial
from typing import Any, Final
from zoneinfo import available_timezones

from phonenumbers import SUPPORTED_REGIONS

from crm.imports.fields import fold_header
from crm.imports.plan import AttributeRule
from crm.normalisation import NormalisationError, clean_text, search_key, split_tags
from crm.normalisation.amounts import DateOrder, parse_birthday, parse_boolean, parse_date, parse_decimal
from crm.normalisation.emails import certain_emails, normalise_email_exactly
from crm.normalisation.names import half_key
from crm.normalisation.phones import certain_phones, normalise_phone_exactly

NULL: Final = "\\N"
MAX_REMEMBERED: Final = 50_000
PLACEHOLDERS: Final = frozenset(
    ("-", "--", "–", "—", "n/a", "#n/a", "null", "none", "nil", "(null)", "unknown", "unspecified", "not available", "ندارد", "نامشخص")
)


class Problem:
    """Why a cell was not taken as it stands; ``value`` is what COPY takes instead."""

    __slots__ = ("code", "message", "parameters", "rejects", "value")

    def __init__(self, code: str, message: str, *, rejects: bool = False, value: str = NULL, **parameters: Any) -> None:
        self.code, self.message, self.parameters, self.rejects, self.value = code, message, parameters, rejects, value


class Rule(dict[str, Any]):
    """A remembering rule; ``seen`` counts the problems met, so that a clean column need not be searched for them."""

    def __init__(self, read: Callable[[str], str | Problem]) -> None:
        super().__init__()
        self._read, self.seen = read, 0

    def __missing__(self, text: str) -> str | Problem:
        value = self._read(text)
        if isinstance(value, Problem):
            self.seen += 1
        else:
            if len(self) >= MAX_REMEMBERED:
                self.clear()
            self[text] = value
        return value

    def column(self, texts: Sequence[str]) -> list[str | Problem]:
        """Every cell of a column."""
        return list(map(self.__getitem__, texts))


class IdentityRule(Rule):
    """A rule for values that hardly repeat: nothing is remembered, ``certain`` answers the plain ones of a column at once."""

    def __init__(self, certain: Callable[[Sequence[str]], Sequence[str]], read: Callable[[str], str | Problem]) -> None:
        super().__init__(read)
        self._certain = certain

    def __missing__(self, text: str) -> str | Problem:
        value = self._read(text)
        self.seen += isinstance(value, Problem)
        return value

    def column(self, texts: Sequence[str]) -> list[str | Problem]:
        """Every cell of a column."""
        missing = self.__missing__
        return [kept or (missing(text) if text else NULL) for kept, text in zip(self._certain(texts), texts, strict=True)]


def kept(value: str | Problem) -> str:
    """What COPY takes of a rule's answer."""
    return value.value if isinstance(value, Problem) else value


def for_copy(text: str) -> str:
    """A text without control characters as a field of COPY's text format."""
    return text.replace("\\", "\\\\") if "\\" in text else text


def _text(text: str, *, limit: int) -> str | Problem:
    kept = clean_text(text)
    if not kept:
        return NULL
    if len(kept) > limit:
        return Problem("too_long", "Only the first %(limit)s characters were kept.", limit=limit, value=for_copy(kept[:limit].rstrip()))
    return for_copy(kept)


class TextRule(Rule):
    """Short text, cleaned. Values that repeat are remembered; a column of streets is looked at value by value."""

    def __init__(self, limit: int) -> None:
        super().__init__(partial(_text, limit=limit))
        self._limit = limit

    def column(self, texts: Sequence[str]) -> list[str | Problem]:
        """Every cell of a column."""
        if len(set(texts[:64])) < 48:
            return super().column(texts)
        if _are_all(_PLAIN_TEXT, texts, self._limit):
            return list(texts)
        plain, limit, missing = _PLAIN_TEXT.fullmatch, self._limit, self.__missing__
        return [(text if plain(text) and len(text) <= limit else missing(text)) if text else NULL for text in texts]


# Printable ASCII, single spaces inside, no backslash: nothing to clean and nothing to escape.
_PLAIN_TEXT: Final = re.compile(r"[!-\[\]-~]+(?: [!-\[\]-~]+)*")


@cache
def _lines_of(plain: re.Pattern[str]) -> re.Pattern[str]:
    # No line that matched is tried in another way when a later one does not: that would take for ever.
    return re.compile(f"(?:(?>{plain.pattern})\n)++")


def _are_all(plain: re.Pattern[str], texts: Sequence[str], limit: int) -> bool:
    """Whether every text is plain, which holds no line end, and within the limit; asked of all of them at once."""
    lines = "\n".join((*texts, ""))
    # A text of several plain lines would pass for as many texts.
    return max(map(len, texts), default=0) <= limit and lines.count("\n") == len(texts) and bool(_lines_of(plain).fullmatch(lines))


def text_rule(limit: int) -> Rule:
    """Short text, cleaned."""
    return TextRule(limit)


def fold_rule() -> Rule:
    """The search key of a cleaned name that COPY is about to take; letters and digits, so nothing in it is to be escaped."""
    return Rule(lambda text: "" if text == NULL else half_key(text.replace("\\\\", "\\")))


def _external_id(text: str) -> str | Problem:
    kept = clean_text(text)
    if not kept or kept.lower() in PLACEHOLDERS:
        return NULL
    if kept[-2:] == ".0" and kept[:-2].isdigit():
        kept = kept[:-2]  # a spreadsheet took the number for a measurement
    if len(kept) > MAX_EXTERNAL_ID:
        return Problem("external_id_long", "The customer number is longer than 80 characters.", rejects=True)
    return for_copy(kept)


MAX_EXTERNAL_ID: Final = 80
_PLAIN_NUMBER: Final = re.compile(r"[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*")


def _certain_external_ids(texts: Sequence[str]) -> Sequence[str]:
    if _are_all(_PLAIN_NUMBER, texts, MAX_EXTERNAL_ID):
        return texts
    return [text if len(text) <= MAX_EXTERNAL_ID and _PLAIN_NUMBER.fullmatch(text) else "" for text in texts]


def external_id_rule() -> Rule:
    """The customer number of another system."""
    return IdentityRule(_certain_external_ids, _external_id)


def _identity(text: str, *, read: Callable[[str], str]) -> str | Problem:
    if not text or text.isspace() or text.strip().lower() in PLACEHOLDERS:
        return NULL
    try:
        return for_copy(read(text))
    except NormalisationError as error:
        return Problem(error.code, error.message, rejects=True, **error.parameters)


def email_rule() -> Rule:
    """An e-mail address."""
    return IdentityRule(certain_emails, partial(_identity, read=partial(normalise_email_exactly, allow_test=True)))


def phone_rule(*, region: str) -> Rule:
    """A phone number."""
    return IdentityRule(partial(certain_phones, region=region), partial(_identity, read=partial(normalise_phone_exactly, region=region)))


def _birthday(text: str, *, today: date, order: DateOrder) -> str | Problem:
    if not text.strip() or text.strip().lower() in PLACEHOLDERS:
        return NULL
    try:
        return parse_birthday(text, today=today, order=order).isoformat()
    except NormalisationError as error:
        return Problem(error.code, error.message, **error.parameters)


def birthday_rule(*, today: date, order: DateOrder) -> Rule:
    """A birthday."""
    return Rule(partial(_birthday, today=today, order=order))


def read_words(text: str, *, words: dict[str, str], other: str | None, code: str = "", message: str = "") -> str | Problem:
    """One of the known words; any other is ``other``, or a problem if there is none."""
    folded = fold_header(text)
    if not folded or folded in ("na", "null", "none", "unknown", "unspecified", "prefernottosay", "نامشخص"):
        return NULL
    known = words.get(folded, other)
    return Problem(code, message) if known is None else known


_GENDERS: Final = {
    **dict.fromkeys(("f", "female", "woman", "w", "girl", "ms", "mrs", "زن", "خانم", "مونث", "مونث", "دختر", "بانو"), "female"),
    **dict.fromkeys(("m", "male", "man", "boy", "mr", "مرد", "اقا", "اقای", "مذکر", "پسر"), "male"),
}
_LANGUAGES: Final = {
    "english": "en",
    "persian": "fa",
    "farsi": "fa",
    "فارسی": "fa",
    "انگلیسی": "en",
    "german": "de",
    "french": "fr",
    "spanish": "es",
    "arabic": "ar",
    "عربی": "ar",
    "turkish": "tr",
    "italian": "it",
}


def gender_rule() -> Rule:
    """A gender, in English or Persian words; any other word is one too."""
    return Rule(partial(read_words, words=_GENDERS, other="other"))


def _language(text: str) -> str | Problem:
    kept = text.strip().replace("_", "-")
    if not kept:
        return NULL
    if (named := _LANGUAGES.get(fold_header(kept))) is not None:
        return named
    if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,4})?", kept) and len(kept) <= 8:
        return kept[:2].lower() + kept[2:] if kept[2:3] == "-" else kept.lower()
    return Problem("language", "This is not a language code such as en or fa.")


def language_rule() -> Rule:
    """A language code."""
    return Rule(_language)


def _time_zone(text: str, *, known: frozenset[str]) -> str | Problem:
    kept = text.strip()
    if not kept:
        return NULL
    return kept if kept in known else Problem("time_zone", "This is not a time zone such as Asia/Tehran.")


def time_zone_rule() -> Rule:
    """An IANA time zone."""
    return Rule(partial(_time_zone, known=frozenset(available_timezones())))


# NA is how programs write that there is nothing; the others are no countries of ISO 3166.
COUNTRY_CODES: Final = SUPPORTED_REGIONS - {"NA", "AC", "TA", "XK"}


@cache
def country_names() -> dict[str, str]:
    """Folded country names, English and Persian, and codes → ISO code."""
    # Only here: the package loads 120 MB of places in half a second, which few need who write countries as codes.
    from phonenumbers.geodata.locale import LOCALE_DATA

    names: dict[str, str] = {}
    for code, by_language in LOCALE_DATA.items():
        for language in ("en", "fa", "de", "fr", "es"):
            name = by_language.get(language, "")
            name = by_language.get(name[1:], "") if name.startswith("*") else name
            if name:
                names.setdefault(fold_header(name), code)
    names |= {code.lower(): code for code in LOCALE_DATA}
    return names | {
        "uk": "GB",
        "england": "GB",
        "scotland": "GB",
        "wales": "GB",
        "greatbritain": "GB",
        "eire": "IE",
        "usa": "US",
        "america": "US",
        "unitedstatesofamerica": "US",
        "rsa": "ZA",
        "uae": "AE",
        "korea": "KR",
        "holland": "NL",
        "ایران": "IR",
        "iran": "IR",
    }


def country_rule() -> Rule:
    """A country by name or code."""
    return Rule(_country)


def _country(text: str) -> str | Problem:
    if text in COUNTRY_CODES:
        return text
    return read_words(text, words=country_names(), other=None, code="country", message="This country is not known.")


def _tags(text: str) -> str | Problem:
    tags = list(dict.fromkeys(tag[:60] for tag in split_tags(text)))
    if not tags:
        return NULL
    quoted = ",".join('"' + tag.replace("\\", "\\\\").replace('"', '\\"') + '"' for tag in tags[:50])
    return for_copy(f"{{{quoted}}}")


def tags_rule() -> Rule:
    """Tags between commas, semicolons or bars, as an array."""
    return Rule(_tags)


def _location(text: str, *, known: dict[str, int]) -> str | Problem:
    if not (folded := fold_header(text)):
        return NULL
    found = known.get(folded)
    return str(found) if found is not None else Problem("location", "There is no location of this name.")


def location_rule(known: dict[str, int]) -> Rule:
    """A location of the organization by name, as its id."""
    return Rule(partial(_location, known=known))


def _consent(text: str, *, channel: str) -> str | Problem:
    if not text.strip():
        return ""
    try:
        state = "granted" if parse_boolean(text) else "withdrawn"
    except NormalisationError as error:
        return Problem("consent", error.message, value="", **error.parameters)
    return f'"{channel}": "{state}"'


def consent_rule(channel: str) -> Rule:
    """A yes or no to messages of a channel, as a member of a JSON object."""
    return Rule(partial(_consent, channel=channel))


def _attribute(text: str, *, key: str, rule: AttributeRule, order: DateOrder) -> str | Problem:
    kept = clean_text(text)
    if not kept:
        return ""
    try:
        value: Any = _typed(kept, rule, order)
    except NormalisationError as error:
        return Problem(error.code, error.message, value="", **error.parameters)
    written = str(value) if rule.type == "number" else json.dumps(value, ensure_ascii=False)
    return for_copy(f"{json.dumps(key)}: {written}")


def _typed(text: str, rule: AttributeRule, order: DateOrder) -> Any:
    match rule.type:
        case "number":
            number = parse_decimal(text)
            return int(number) if number == number.to_integral_value() and abs(number) < 10**15 else number.normalize()
        case "boolean":
            return parse_boolean(text)
        case "date":
            return parse_date(text, order=order).isoformat()
        case "choice":
            for choice in rule.choices:
                if search_key(choice) == search_key(text):
                    return choice
            raise NormalisationError("attribute_choice", "This is none of the choices: %(choices)s.", choices=", ".join(rule.choices))
        case _:
            return text[:500]


def attribute_rule(key: str, rule: AttributeRule, *, order: DateOrder) -> Rule:
    """A custom attribute of its declared type, as a member of a JSON object."""
    return Rule(partial(_attribute, key=key, rule=rule, order=order))
