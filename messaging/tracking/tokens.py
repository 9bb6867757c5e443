"""Signed tokens that name a delivery, made once per recipient and verified without a look-up.

One HMAC-SHA256 per delivery is cut into three independent secrets: one for opens and clicks, one
for the unsubscribe and preference pages, one for the Message-ID. So a tracked link that somebody
passes on gives nobody the right to unsubscribe its recipient, and a bounce cannot be made up.

A link carries its address with a signature of its own: what a click leads to is what was
written into the message, even years later and without the database.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

_PART_OCTETS = 12
_PART = 16  # characters of base64 for 12 octets
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_MAX_ID = 2**63 - 1
_ID = re.compile(r"[1-9a-f][0-9a-f]{0,15}")
_TOKEN = re.compile(rf"({_ID.pattern})-({_ID.pattern})-([A-Za-z0-9_-]{{{_PART}}})")
_MESSAGE_ID = re.compile(rf"<?({_ID.pattern})\.({_ID.pattern})\.([0-9a-f]{{16}})@")
_LINK = re.compile(rf"([A-Za-z0-9_-]{{{_PART}}})([A-Za-z0-9_-]{{1,2800}})")
MAX_LINK_INDEX = 999


class DeliveryTokens(NamedTuple):
    """The three secrets of one delivery, ready to print."""

    track: str
    manage: str
    message_id: str


@dataclass(frozen=True, slots=True)
class DeliveryRef:
    """A delivery as a verified token names it."""

    organization_id: int
    delivery_id: int


def derive_key(secret: str) -> bytes:
    """The key for tracking tokens, useless for anything else that the secret protects."""
    return hmac.digest(secret.encode(), b"regulars.messaging.tracking.1", "sha256")


class TokenSigner:
    """Signs the deliveries of one organization; cheap enough for the inside of a render."""

    def __init__(self, organization_id: int, key: bytes) -> None:
        self._organization = f"{organization_id:x}"
        self._key = key
        # HMAC's two hashes with the key (and the organization) already taken in: a delivery
        # only adds its id to copies of them, at a third of the price of hmac.digest.
        block = key.ljust(64, b"\0")
        self._inner = sha256(bytes(octet ^ 0x36 for octet in block) + f"d-{self._organization}-".encode())
        self._outer = sha256(bytes(octet ^ 0x5C for octet in block))

    def sign(self, delivery_id: int) -> DeliveryTokens:
        """The tokens of one delivery."""
        delivery = f"{delivery_id:x}"
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(delivery.encode())
        outer.update(inner.digest())
        digest = outer.digest()
        secrets = b2a_base64(digest[:24], newline=False).translate(_URL_SAFE).decode("ascii")
        name = f"{self._organization}-{delivery}-"
        proof = digest[24:].hex()
        return DeliveryTokens(name + secrets[:16], name + secrets[16:], f"{self._organization}.{delivery}.{proof}")

    def sign_link(self, index: int, address: str, delivery_id: int = 0) -> str:
        """The part of a click address that says where it leads.

        `delivery_id` ties an address with personal data to its recipient; 0 is for an address
        that is the same for everybody.
        """
        mac = _link_mac(self._key, self._organization, delivery_id, index, address)
        return mac + urlsafe_b64encode(address.encode()).decode("ascii").rstrip("=")


class TokenReader:
    """Verifies tokens under the current key and those before it."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def read_track(self, token: str) -> DeliveryRef | None:
        """The delivery of an open or a click, or None for anything forged."""
        return self._read(token, 0)

    def read_manage(self, token: str) -> DeliveryRef | None:
        """The delivery of an unsubscribe or preference page, or None for anything forged."""
        return self._read(token, 1)

    def read_message_id(self, message_id: str) -> DeliveryRef | None:
        """The delivery of a Message-ID that came back in a bounce or an answer, or None."""
        match = _MESSAGE_ID.match(message_id.strip())
        if match is None:
            return None
        organization, delivery, proof = match.groups()
        return self._verify(organization, delivery, proof.encode(), lambda digest: digest[24:].hex().encode())

    def read_link(self, ref: DeliveryRef, index: int, link: str) -> str | None:
        """The address that was written into the message at this index, or None."""
        match = _LINK.fullmatch(link)
        if match is None or not 0 <= index <= MAX_LINK_INDEX:
            return None
        try:
            address = urlsafe_b64decode(match[2] + "=" * (-len(match[2]) % 4)).decode()
        except ValueError:
            return None
        organization = f"{ref.organization_id:x}"
        found = False
        for key in self._keys:
            for delivery_id in (0, ref.delivery_id):
                expected = _link_mac(key, organization, delivery_id, index, address)
                found |= hmac.compare_digest(expected, match[1])
        return address if found else None

    def _read(self, token: str, position: int) -> DeliveryRef | None:
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        organization, delivery, proof = match.groups()
        start = position * _PART_OCTETS
        return self._verify(
            organization,
            delivery,
            proof.encode(),
            lambda digest: b2a_base64(digest[start : start + _PART_OCTETS], newline=False).translate(_URL_SAFE),
        )

    def _verify(self, organization: str, delivery: str, proof: bytes, part: Callable[[bytes], bytes]) -> DeliveryRef | None:
        found = False
        for key in self._keys:
            digest = hmac.digest(key, f"d-{organization}-{delivery}".encode(), "sha256")
            found |= hmac.compare_digest(part(digest), proof)
        ref = DeliveryRef(int(organization, 16), int(delivery, 16))
        return ref if found and max(ref.organization_id, ref.delivery_id) <= _MAX_ID else None


def _link_mac(key: bytes, organization: str, delivery_id: int, index: int, address: str) -> str:
    text = f"l-{organization}-{delivery_id:x}-{index}-{address}"
    return urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")[:_PART_OCTETS]).decode("ascii")
