"""Currencies: how many digits of an amount in minor units stand behind the point."""

from typing import Final

# Rials have not been divided for decades, whatever the standard says.
_WHOLE: Final = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "IRR",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "UYI",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
)
_THOUSANDTHS: Final = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_EXPONENTS: Final[dict[str, int]] = {**dict.fromkeys(_WHOLE, 0), **dict.fromkeys(_THOUSANDTHS, 3)}
_SIGNS: Final = {"USD": "$", "EUR": "€", "GBP": "£"}


def currency_exponent(currency: str) -> int:
    """2 for dollars (100 cents), 0 for yen and rials, 3 for dinars."""
    return _EXPONENTS.get(currency, 2)


def currency_sign(currency: str) -> str:
    """The sign before an amount, or nothing where the code is written behind it."""
    return _SIGNS.get(currency, "")
