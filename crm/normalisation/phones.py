"""Phone numbers in E.164, read as somebody in a given region would have written them.

libphonenumber's Python port decides. Parsing with it takes some 30 µs a number, so `normalise_phone` first tries a
short cut built from the same metadata that only answers where both must agree, and leaves all else to the library.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneMetadata, PhoneNumberFormat

from crm.normalisation.digits import latin_digits
from crm.normalisation.errors import NormalisationError

MAX_TEXT: Final = 64
_INVISIBLE: Final = dict.fromkeys([0x00AD, 0x061C, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF])
_PLAIN_MARKS: Final = str.maketrans("", "", " -.()\u00a0")
_PLAIN: Final = re.compile(r"\+?[0-9]{7,17}")
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
    """The number in ``text`` as E.164, taken as a national one of ``region`` (two letters) when it has no prefix."""
    digits = text.translate(_PLAIN_MARKS)
    if _PLAIN.fullmatch(digits):
        found = _certain_number(digits, region)
        if found is not None:
            return found
    return normalise_phone_exactly(text, region=region)


def normalise_phone_exactly(text: str, *, region: str) -> str:
    """What `normalise_phone` answers, found by the library alone; raises NormalisationError with the reason."""
    number = latin_digits(text.translate(_INVISIBLE)).strip().replace("\uff0b", "+")
    number = number[4:] if number[:4].lower() == "tel:" else number
    _refuse_shape(number)
    # 0098… is how much of the world types +98…; read as a national number the library may take it for another one.
    bare = number.translate(_PLAIN_MARKS)
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
        raise NormalisationError("phone_several", "There is more than one phone number; keep one per column.")
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


class _Plan(NamedTuple):
    """What the short cut needs of one region's numbering plan."""

    general: re.Pattern[str]
    common: re.Pattern[str]
    prefix: re.Pattern[str] | None
    rewrites: bool
    leading: re.Pattern[str] | None
    abroad: re.Pattern[str] | None
    code: str


@lru_cache(maxsize=300)
def _plan(region: str) -> _Plan | None:
    data = PhoneMetadata.metadata_for_region(region, None)
    if data is None or data.general_desc is None or data.general_desc.national_number_pattern is None:
        return None
    kinds = [kind for kind in (data.mobile, data.fixed_line) if kind and kind.national_number_pattern]
    # The lengths are part of each kind's rule, the pattern alone may allow others.
    common = "|".join(
        f"(?=(?:{'|'.join(f'[0-9]{{{n}}}' for n in kind.possible_length)})$)(?:{kind.national_number_pattern})"
        for kind in kinds
        if kind.possible_length and kind.possible_length != (-1,)
    )
    prefix = data.national_prefix_for_parsing
    return _Plan(
        general=re.compile(data.general_desc.national_number_pattern),
        common=re.compile(common or "(?!)"),
        prefix=re.compile(prefix) if prefix else None,
        rewrites=bool(data.national_prefix_transform_rule) or bool(prefix and re.compile(prefix).groups),
        leading=re.compile(data.leading_digits) if data.leading_digits else None,
        abroad=re.compile(data.international_prefix) if data.international_prefix else None,
        code=str(data.country_code),
    )


@lru_cache(maxsize=1000)
def _plans_of_code(code: str) -> tuple[_Plan | None, ...] | None:
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    return tuple(map(_plan, regions)) if regions and regions != ("001",) else None


def _certain_number(digits: str, region: str) -> str | None:
    if digits[0] == "+":
        return _certain_international(digits[1:])
    if digits[:2] == "00":
        return _certain_international(digits[2:])
    return _certain_national(digits, region)


def _certain_international(digits: str) -> str | None:
    for size in (1, 2, 3):
        plans = _plans_of_code(digits[:size]) if digits[:1] != "0" and len(digits) > size else None
        if plans is None:
            continue
        main = plans[0]
        national = digits[size:]
        if main is None or (main.prefix is not None and main.prefix.match(national)):
            return None
        return f"+{digits}" if _is_assigned(plans, national) else None
    return None


def _certain_national(digits: str, region: str) -> str | None:
    plan = _plan(region)
    if plan is None or plan.rewrites or digits.startswith(plan.code):
        return None
    if plan.abroad is not None and plan.abroad.match(digits):
        return None
    national = digits
    prefix = plan.prefix.match(digits) if plan.prefix is not None else None
    if prefix is not None and prefix.end() > 0:
        national = digits[prefix.end() :]
        if plan.general.fullmatch(digits) and not plan.general.fullmatch(national):
            return None
    plans = _plans_of_code(plan.code)
    if plans is None or not _is_assigned(plans, national):
        return None
    return f"+{plan.code}{national}"


def _is_assigned(plans: tuple[_Plan | None, ...], national: str) -> bool:
    """Whether a fixed or mobile number of that form exists: True is certain, False only means "ask the library"."""
    if len(plans) == 1:
        plan = plans[0]
        return plan is not None and _fits(plan, national)
    for plan in plans:
        if plan is None:
            return False
        if plan.leading is not None:
            if plan.leading.match(national):
                return _fits(plan, national)
        elif _fits(plan, national):
            return True
    return False


def _fits(plan: _Plan, national: str) -> bool:
    return bool(plan.general.fullmatch(national) and plan.common.fullmatch(national))
