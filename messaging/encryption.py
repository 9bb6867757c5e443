"""Provider credentials encrypted at rest with a key derived from SECRET_KEY; SECRET_KEY_FALLBACKS allow rotation."""

import base64
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models


def encrypt(value: dict[str, Any]) -> str:
    """Encrypt a JSON object with the newest key."""
    return _fernet().encrypt(json.dumps(value).encode()).decode()


def decrypt(token: str) -> dict[str, Any]:
    """Read what ``encrypt`` made under the current key or a fallback.

    Raises:
        ValueError: no known key opens it.
    """
    if not token:
        return {}
    try:
        value: dict[str, Any] = json.loads(_fernet().decrypt(token.encode()))
    except InvalidToken as error:
        raise ValueError("these credentials were encrypted with another SECRET_KEY; enter them again") from error
    return value


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(_derive(secret)) for secret in [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]])


def _derive(secret: str) -> bytes:
    return base64.urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=b"regulars.credentials").derive(secret.encode()))


class Sealed(Mapping[str, Any]):
    """An encrypted JSON object that is opened when it is looked into, so that rows can be listed whatever became of the key.

    Raises:
        ValueError: when it is looked into, and no known key opens it.
    """

    def __init__(self, token: str) -> None:
        self.token = token

    @cached_property
    def _opened(self) -> dict[str, Any]:
        return decrypt(self.token)

    def __getitem__(self, name: str) -> Any:
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._opened)

    def __len__(self) -> int:
        return len(self._opened)


class EncryptedJSONField(models.TextField[Any, Mapping[str, Any]]):
    """A JSON object that stands encrypted in the database; it cannot be searched."""

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Sealed):
            return value.token
        return encrypt(value) if value else ""

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Sealed:
        return Sealed(value or "")

    def to_python(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: models.Model) -> str:
        return ""  # never part of a dump
