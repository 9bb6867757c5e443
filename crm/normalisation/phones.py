"""Phone numbers in E.164, read as somebody in a given region would have written them.

libphonenumber's Python port decides. Parsing with it takes some 30 µs a number, so `normalise_phone` first tries a
short cut built from the same metadata that only answers where both must agree, and leaves all else to the library.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneMetadata, PhoneNumberFormat

from crm.normalisation.digits import latin_digits
from crm.normalisation.errors import NormalisationError

MAX_TEXT: Final = 64
_INVISIBLE: Final = dict.fromkeys(
    [0x00AD, 0x061C, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
)
_NEVER: Final = re.compile("(?!)")
_EXTENSION: Final = re.compile(r"(?:;ext=|\bext(?:ension)?\b\.?|\bx\b\.?|(?<=\d)x|#|داخلی)\s*:?\s*\d{1,7}\s*#?\s*$", re.IGNORECASE)
_ALLOWED: Final = re.compile(r"[+\uff0b]?[0-9 ()\[\]./\-\u2010-\u2015\u2212\u00a0\u2009\u202f\u3000~*]*")
_SEVERAL: Final = re.compile(r"\d[\d \-().]{5,}[,;|/\n\u060c&]+\s*[+\d(][\d \-().]{5,}")

_NOT_A_NUMBER: Final = {
    NumberParseException.INVALID_COUNTRY_CODE: ("phone_country", "The country code of the phone number is missing or unknown."),
    NumberParseException.NOT_A_NUMBER: ("phone_garbage", "This is not a phone number."),
    NumberParseException.TOO_SHORT_AFTER_IDD: ("phone_short", "The phone number is too short."),
    NumberParseException.TOO_SHORT_NSN: ("phone_short", "The phone number is too short."),
    NumberParseException.TOO_LONG: ("phone_long", "The phone number is too long."),
}


def normalise_phone(text: str, *, region: str) -> str:
    """The number in ``text`` as E.164, taken as a national one of ``region`` (two letters) when it has no prefix.

    Raises NormalisationError, its reason being what `normalise_phone_exactly` says.
    """
    return certain_phone(text, region) or normalise_phone_exactly(text, region=region)


def normalise_phone_exactly(text: str, *, region: str) -> str:
    """What `normalise_phone` answers, found by the library alone; raises NormalisationError with the reason."""
    number = latin_digits(text.translate(_INVISIBLE)).strip().replace("\uff0b", "+")
    number = number[4:] if number[:4].lower() == "tel:" else number
    _refuse_shape(number)
    # 0098… is how much of the world types +98…; read as a national number the library may take it for another one.
    bare = _without_marks(number)
    readings = [f"+{bare[2:]}", number] if re.match("00[1-9]", bare) else [number]
    failure = NormalisationError("phone_garbage", "This is not a phone number.")
    for reading in readings:
        try:
            return _read(reading, region)
        except NormalisationError as error:
            failure = failure if reading is not readings[0] else error
    raise failure


def _refuse_shape(number: str) -> None:
    if not number:
        raise NormalisationError("phone_empty", "The phone number is empty.")
    if len(number) > MAX_TEXT:
        raise NormalisationError("phone_long", "The phone number is too long.")
    if _EXTENSION.search(number):
        raise NormalisationError("phone_extension", "The phone number has an extension; only direct numbers are kept.")
    if _SEVERAL.search(number):
        raise NormalisationError("phone_several", "There is more than one phone number; give one.")
    if any(char.isalpha() for char in number):
        raise NormalisationError("phone_letters", "The phone number has letters in it.")
    if not _ALLOWED.fullmatch(number):
        raise NormalisationError("phone_garbage", "This is not a phone number.")


def _read(number: str, region: str) -> str:
    try:
        parsed = phonenumbers.parse(number, region)
    except NumberParseException as error:
        raise NormalisationError(*_NOT_A_NUMBER[error.error_type]) from error
    if phonenumbers.is_valid_number(parsed):
        return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    length = phonenumbers.is_possible_number_with_reason(parsed)
    if length == phonenumbers.ValidationResult.TOO_SHORT:
        raise NormalisationError("phone_short", "The phone number is too short.")
    if length == phonenumbers.ValidationResult.TOO_LONG:
        raise NormalisationError("phone_long", "The phone number is too long.")
    raise NormalisationError("phone_unassigned", "No such phone number can exist in its country.")


def certain_phone(text: str, region: str) -> str:
    """The short cut: the number if it is plainly fixed or mobile, else the empty string ("ask the library")."""
    return _certain(_without_marks(latin_digits(text)), region)


def certain_phones(texts: Sequence[str], region: str) -> list[str]:
    """`certain_phone` of each text; marks are taken out of all of them at once."""
    joined = "\n".join(texts)
    if joined.count("\n") != len(texts) - 1:
        return [certain_phone(text, region) for text in texts]
    if not joined.isascii():
        joined = "\n".join([text if text.isascii() else latin_digits(text) for text in texts])
    code, plain = _national_form(region)
    start, is_plain = f"+{code}", plain.fullmatch
    return [
        start + found[1] if (found := is_plain(digits)) else digits and _certain(digits, region)
        for digits in _without_marks(joined).split("\n")
    ]


def _certain(digits: str, region: str) -> str:
    if digits[:1] == "+":
        start = 1
    elif digits[:2] == "00":
        start = 2
    else:
        code, plain = _national_form(region)
        found = plain.fullmatch(digits)
        return f"+{code}{found[1]}" if found else ""
    plain = _form_behind_plus(digits[start : start + 3])
    return f"+{digits[start:]}" if plain.fullmatch(digits, start) else ""


def _without_marks(text: str) -> str:
    return text.replace(" ", "").replace("-", "").replace("(", "").replace(")", "").replace(".", "").replace("\u00a0", "")


@lru_cache(maxsize=300)
def _national_form(region: str) -> tuple[str, re.Pattern[str]]:
    """Country code and the form of its fixed and mobile numbers as dialled inside the region, prefix or not.

    The library takes a number apart in steps (dialling abroad, country code typed without a plus, national prefix);
    a form that any other step could take instead is left to it.
    """
    data = PhoneMetadata.metadata_for_region(region, None)
    numbers = _assigned(region)
    if (
        data is None
        or not numbers
        or data.national_prefix_transform_rule
        or region != COUNTRY_CODE_TO_REGION_CODE[data.country_code or 0][0]
    ):
        return "", _NEVER
    prefix = data.national_prefix_for_parsing
    if prefix and re.compile(prefix).groups:
        return "", _NEVER
    abroad = f"(?!{data.international_prefix})" if data.international_prefix else ""
    dialled = f"(?>(?:{prefix})|(?!{prefix}))" if prefix else ""
    return str(data.country_code), re.compile(f"{abroad}(?!{data.country_code}){dialled}({numbers})", re.ASCII)


@lru_cache(maxsize=1000)
def _form_behind_plus(digits: str) -> re.Pattern[str]:
    """The form of the numbers of the country whose code these first three digits begin with, code included."""
    for size in (1, 2, 3):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:size])) if digits.isdecimal() and digits.isascii() else None
        if regions is not None:
            return _international_form(int(digits[:size]), regions[0])
    return _NEVER


@lru_cache(maxsize=300)
def _international_form(code: int, region: str) -> re.Pattern[str]:
    data = PhoneMetadata.metadata_for_region(region, None) if region != "001" else None
    numbers = _assigned(region) if data is not None else ""
    if data is None or not numbers:
        return _NEVER
    # Even behind a country code the library drops a national prefix, so a number that might start with one is its own.
    no_prefix = f"(?!{data.national_prefix_for_parsing})" if data.national_prefix_for_parsing else ""
    return re.compile(f"{code}{no_prefix}(?:{numbers})", re.ASCII)


def _assigned(region: str) -> str:
    """A pattern of the fixed and mobile numbers of a country code's main region; empty when there is none to be sure of."""
    data = PhoneMetadata.metadata_for_region(region, None)
    if data is None or data.leading_digits or data.general_desc is None or not data.general_desc.national_number_pattern:
        return ""
    # Of regions that share a country code the library asks the main one first, so what fits it is decided.
    kinds = [
        f"(?=(?:{'|'.join(f'[0-9]{{{size}}}' for size in kind.possible_length)})\\Z)(?:{kind.national_number_pattern})"
        for kind in (data.mobile, data.fixed_line)
        if kind and kind.national_number_pattern and kind.possible_length and kind.possible_length != (-1,)
    ]
    return f"(?=(?:{data.general_desc.national_number_pattern})\\Z)(?:{'|'.join(kinds)})" if kinds else ""
