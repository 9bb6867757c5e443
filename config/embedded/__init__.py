"""The PostgreSQL and the Valkey that come as wheels, for machines where neither is configured."""

from config.embedded.home import EmbeddedHome, answers
from config.embedded.postgres import start_postgres, stop_postgres
from config.embedded.valkey import start_valkey, stop_valkey

__all__ = ["EmbeddedHome", "start_embedded", "start_postgres", "start_valkey", "stop_embedded", "stop_postgres", "stop_valkey"]


def start_embedded(home: EmbeddedHome, *, postgres: bool, valkey: bool) -> bool:
    """Start the wanted servers unless they already answer; several processes may call this at once.

    Returns:
        Whether this call started one: whoever started them stops them.

    Raises:
        EmbeddedServerError: with one line that says what to do.
    """
    with home.locked():
        missing = (postgres and not answers(home.postgres_socket)) or (valkey and not answers(home.valkey_socket))
        if postgres:
            start_postgres(home)
        if valkey:
            start_valkey(home)
    return missing


def stop_embedded(home: EmbeddedHome) -> None:
    """Stop both servers of this home, if they run."""
    with home.locked():
        stop_valkey(home)
        stop_postgres(home)
