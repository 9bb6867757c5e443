"""What the checks need from the machine: the embedded servers, a browser, Debian packages."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def embedded_servers() -> Iterator[None]:
    """The embedded servers, stopped at the end only if they did not run before."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from config.processes import ProcessError
    from config.servers import servers

    try:
        with servers():
            yield
    except ProcessError as error:
        sys.exit(str(error))


def find_chromium() -> None:
    """Put the browser's path into CHROMIUM, installing it where that is possible; else say loudly that it is missing."""
    if Path(os.environ.get("CHROMIUM") or "-").exists():
        return
    if not any(map(shutil.which, BROWSERS)):
        install_packages("chromium", "fonts-dejavu-core")
    if found := next(filter(None, map(shutil.which, BROWSERS)), None):
        os.environ["CHROMIUM"] = found
    else:
        sys.stdout.write("!! NO BROWSER: Chromium is not on this machine and cannot be installed; the browser tests are SKIPPED !!\n")


def install_packages(*packages: str) -> bool:
    """Install Debian packages where apt and root allow; whether that worked."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    sys.stdout.write(f"== installing {', '.join(packages)}\n")
    sys.stdout.flush()
    return _apt("update") and _apt("install", "-y", "--no-install-recommends", *packages)


def _apt(*arguments: str) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", "-qq", *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return done.returncode == 0
