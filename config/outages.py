"""Words for a database or a broker that cannot be reached, in place of a traceback."""

from urllib.parse import urlsplit

import psycopg
import redis
from django.conf import settings
from django.db import utils
from kombu.exceptions import OperationalError as BrokerError

VARIABLES = {"default": "DATABASE_URL", "owner": "DATABASE_OWNER_URL"}
OTHERWISE = {"default": "the embedded PostgreSQL", "owner": "the role of DATABASE_URL"}


def explain(error: BaseException) -> str | None:
    """One line for an outage of the database or the broker; ``None`` when the error is something else."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, psycopg.OperationalError) and seen.sqlstate is None:
            return database_outage(str(seen))
        if isinstance(seen, BrokerError | redis.exceptions.ConnectionError | redis.exceptions.TimeoutError):
            return broker_outage(str(seen))
        seen = seen.__cause__
    return database_outage(str(error)) if isinstance(error, utils.OperationalError) and error.__cause__ is None else None


def database_outage(reason: str, *, alias: str = "default") -> str:
    """Name the database that cannot be reached, without the password."""
    entry, variable = settings.DATABASES[alias], VARIABLES[alias]
    place = f"{entry['HOST'] or 'local socket'}:{entry.get('PORT') or 5432}/{entry['NAME']}"
    if settings.EMBEDDED_POSTGRES:
        return f"Cannot reach the embedded PostgreSQL ({place}): {_short(reason)}. See {settings.EMBEDDED_HOME.postgres_log}."
    return (
        f"Cannot reach the database of {variable} ({place}): {_short(reason)}. "
        f"Start it, correct {variable}, or unset it to use {OTHERWISE[alias]}."
    )


def broker_outage(reason: str) -> str:
    """Name the broker that cannot be reached, without the password."""
    if settings.EMBEDDED_VALKEY:
        return f"Cannot reach the embedded Valkey: {_short(reason)}. See {settings.EMBEDDED_HOME.folder / 'valkey.log'}."
    url = urlsplit(settings.REDIS_URL)
    place = f"{url.hostname}:{url.port or 6379}" if url.hostname else url.path
    return (
        f"Cannot reach the broker of REDIS_URL ({place}): {_short(reason)}. "
        "Start it, correct REDIS_URL, or unset it to use the embedded Valkey."
    )


def _short(reason: str) -> str:
    # libpq repeats the address in front of what went wrong: keep the last part.
    lines = [line.strip() for line in reason.splitlines() if line.strip() and "Is the server running" not in line]
    return (lines[0] if lines else "no reason given").rpartition("failed: ")[2].rstrip(".")
