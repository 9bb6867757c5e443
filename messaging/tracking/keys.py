"""The keys that the settings give us: one to sign with, and those before it to read with."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from messaging.tracking.tokens import TokenReader, TokenSigner, derive_key


def signer_for(organization_id: int) -> TokenSigner:
    """Signs deliveries of this organization with the newest key."""
    return TokenSigner(organization_id, _key(settings.SECRET_KEY))


def token_reader() -> TokenReader:
    """Reads what any of the known keys has signed."""
    return _reader(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=8)
def _reader(*secrets: str) -> TokenReader:
    return TokenReader([_key(secret) for secret in secrets])


@lru_cache(maxsize=8)
def _key(secret: str) -> bytes:
    return derive_key(secret)
