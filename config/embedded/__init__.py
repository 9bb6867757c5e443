"""The PostgreSQL and the Valkey that come as wheels, for machines where neither is configured."""

from config.embedded.home import EmbeddedHome
from config.embedded.postgres import start_postgres, stop_postgres
from config.embedded.valkey import start_valkey, stop_valkey

__all__ = ["EmbeddedHome", "start_embedded", "start_postgres", "start_valkey", "stop_embedded", "stop_postgres", "stop_valkey"]


def start_embedded(home: EmbeddedHome, *, postgres: bool, valkey: bool) -> None:
    """Start the wanted servers unless they already answer; several processes may call this at once.

    Raises:
        EmbeddedServerError: with one line that says what to do.
    """
    with home.locked():
        if postgres:
            start_postgres(home)
        if valkey:
            start_valkey(home)


def stop_embedded(home: EmbeddedHome) -> None:
    """Stop both servers of this home, if they run."""
    with home.locked():
        stop_valkey(home)
        stop_postgres(home)
