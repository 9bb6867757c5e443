"""A folder, servers and settings of a program's own, for those that break their database."""

import os
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def add_cluster_option(parser: ArgumentParser) -> None:
    """Let whoever has a migrated cluster hand it over."""
    parser.add_argument("--cluster", type=Path, help="A stopped server's migrated cluster to begin with a copy of.")


@contextmanager
def own_home(cluster: Path | None, **variables: str) -> Iterator[Path]:
    """Set Django up for a new folder with these variables; what was started there is stopped, and all of it deleted."""
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        for variable in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "EMBEDDED_DATABASE"):
            os.environ.pop(variable, None)
        os.environ |= {"REGULARS_HOME": str(folder / "home"), "DJANGO_SETTINGS_MODULE": "config.settings", **variables}
        import django
        from django.conf import settings

        django.setup()
        from config.embedded import stop_embedded
        from tests.database import copy_cluster

        if cluster:
            copy_cluster(cluster, settings.EMBEDDED_HOME)
        try:
            yield folder
        finally:
            stop_embedded(settings.EMBEDDED_HOME)
