"""The signed links of a member's own page and of their referral code: short, without a look-up to forge, and good for nothing else."""

import re
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from accounts.tenancy import current_organization_id

_NAMES: Final = re.compile(r"([0-9a-f]{1,15})-([0-9a-f]{1,15})")
_JOINS: Final = re.compile(r"([0-9a-f]{1,15})-([0-9A-Z]{1,20})")


@dataclass(frozen=True, slots=True)
class JoinRef:
    """A referral code as a verified token names it."""

    organization_id: int
    code: str


@dataclass(frozen=True, slots=True)
class MemberRef:
    """A member as a verified token names them."""

    organization_id: int
    member_id: int


def member_token(member_id: int) -> str:
    """The token of a member of the current organization."""
    return _signer().sign(f"{current_organization_id():x}-{member_id:x}")


def read_member_token(token: str) -> MemberRef | None:
    """The member that a token names, or ``None`` for anything forged."""
    try:
        names = _NAMES.fullmatch(_signer().unsign(token))
    except BadSignature:
        return None
    return MemberRef(int(names[1], 16), int(names[2], 16)) if names else None


def member_url(member_id: int) -> str:
    """The whole address of a member's own page, to be put into messages."""
    return str(settings.PUBLIC_URL) + reverse("member_page", args=[member_token(member_id)])


def join_url(code: str) -> str:
    """The whole address at which a friend joins by a referral code of the current organization."""
    token = _join_signer().sign(f"{current_organization_id():x}-{code}")
    return str(settings.PUBLIC_URL) + reverse("join", args=[token])


def read_join_token(token: str) -> JoinRef | None:
    """The code that a token names, or ``None`` for anything forged."""
    try:
        names = _JOINS.fullmatch(_join_signer().unsign(token))
    except BadSignature:
        return None
    return JoinRef(int(names[1], 16), names[2]) if names else None


def _join_signer() -> Signer:
    return Signer(salt="loyalty.join", sep=".")


def _signer() -> Signer:
    # The dot does not occur in what is signed, and stands in an address as it is.
    return Signer(salt="loyalty.member_page", sep=".")
