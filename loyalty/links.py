"""The signed link of a member's own page: short, without a look-up to forge, and good for nothing else."""

import re
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from accounts.tenancy import current_organization_id

_NAMES: Final = re.compile(r"([0-9a-f]{1,15})-([0-9a-f]{1,15})")


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


def _signer() -> Signer:
    # The dot does not occur in what is signed, and stands in an address as it is.
    return Signer(salt="loyalty.member_page", sep=".")
