"""The member card: the brand's colour with ink that can be read on it, and the number as a QR code."""

from dataclasses import dataclass

import segno
from django.utils.safestring import SafeString, mark_safe

from accounts.models import Organization
from loyalty.models import Member

DARK_INK, LIGHT_INK = "#111827", "#ffffff"


@dataclass(frozen=True, slots=True)
class Card:
    """What stands on a card."""

    member: Member
    organization: Organization
    tier: str
    ink: str
    code: SafeString

    @property
    def spaced_number(self) -> str:
        """The number in groups of four, to be read aloud."""
        number = self.member.number
        return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def card_of(member: Member, organization: Organization, *, tier: str) -> Card:
    """A member's card."""
    return Card(member, organization, tier, ink_on(organization.brand_color), qr_code(member.number))


def qr_code(text: str) -> SafeString:
    """A QR code as SVG, black on white in any theme: scanners need the contrast."""
    code = segno.make_qr(text, error="m")
    return mark_safe(code.svg_inline(border=2, light="#fff", omitsize=True))  # noqa: S308 - made of squares alone


def ink_on(colour: str) -> str:
    """The ink that stands out better on a colour such as ``#7c3aed`` (WCAG's contrast)."""
    back = _luminance(colour)
    return max((DARK_INK, LIGHT_INK), key=lambda ink: _contrast(_luminance(ink), back))


def _luminance(colour: str) -> float:
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
