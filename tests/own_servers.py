"""Gives each parallel test worker servers of its own; loaded before the settings are (``python -m pytest -p tests.own_servers -n 2``).

Consumers wait for every open transaction of a server, and a test is one long transaction: on a shared server the tests
of one worker would hold back those of the other, and share its cache.
"""

import os
from pathlib import Path

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    home = os.environ.get("REGULARS_HOME") or Path(__file__).resolve().parent.parent / ".local"
    os.environ["REGULARS_HOME"] = str(Path(home) / worker)
