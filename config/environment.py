"""What the environment says, read for the settings; what cannot be read is one line that names the variable."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured


class EnvironmentVariableError(ImproperlyConfigured):
    """A variable is missing or cannot be read; the message names it and says what to write, and repeats no secret."""


@contextmanager
def readable(variable: str, form: str) -> Iterator[None]:
    """Say of a variable that cannot be read how it is written."""
    try:
        yield
    except (ValueError, KeyError, ImproperlyConfigured) as error:
        raise EnvironmentVariableError(f"{variable} cannot be read; write {form}.") from error


class Environment(environ.Env):
    """The reader of variables."""

    def get_value(self, var: str, *arguments: Any, **options: Any) -> Any:
        """The variable as what it is asked for as, or its default."""
        with readable(var, "a number"):
            return super().get_value(var, *arguments, **options)

    def postgres(self, var: str, *, default: str = "") -> dict[str, Any]:
        """The entry of DATABASES for an address."""
        address = str(self(var, default="")) or default
        with readable(var, "it like postgres://role:password@host:5432/name"):
            if urlsplit(address).scheme not in ("postgres", "postgresql"):
                raise ValueError(var)
            entry = dict(self.db_url_config(address))
        return {**entry, "HOST": unquote(entry["HOST"])}  # postgres://role@%2Frun%2Fpostgresql/name is a unix socket

    def redis(self, var: str, *, default: str) -> str:
        """The address of a Valkey or Redis."""
        address = str(self(var, default="")) or default
        with readable(var, "it like redis://host:6379/0"):
            parts = urlsplit(address)
            if parts.scheme not in ("redis", "rediss", "unix") or parts.port == 0:
                raise ValueError(var)
        return address

    def mail(self, var: str, *, default: str) -> dict[str, Any]:
        """Django's settings of mail for an address."""
        with readable(var, "it like smtp+tls://user:password@host:587"):
            return dict(self.email_url(var, default=default))

    def log_level(self, var: str, *, default: str) -> str:
        """The name of one of logging's levels."""
        level = str(self(var, default=default)).upper()
        with readable(var, "DEBUG, INFO, WARNING, ERROR or CRITICAL"):
            return logging.getLevelName(logging.getLevelNamesMapping()[level])


env = Environment()
