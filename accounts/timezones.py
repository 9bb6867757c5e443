"""The time zones one can choose from."""

from functools import cache
from zoneinfo import available_timezones


@cache
def time_zones() -> frozenset[str]:
    """All that exist; read once, as the list is a walk over the files of the time zone database."""
    return frozenset(available_timezones())


@cache
def time_zone_choices() -> tuple[tuple[str, str], ...]:
    """Names of places, by name; the historical abbreviations are left out."""
    names = sorted(name for name in time_zones() if "/" in name and not name.startswith(("Etc/", "SystemV/", "posix/", "right/")))
    return (("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names))
