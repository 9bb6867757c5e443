"""Gives each process of a parallel run servers of its own; loaded before the settings are (``python -m pytest -p tests.own_servers -n 2``).

Consumers wait for every open transaction of a server, and a test is one long transaction: on a shared server the tests
of one worker would hold back those of the other, and share its cache. The process that hands out the tests migrates
once, and stops its server; all others begin with a copy of it.
"""

import os
from pathlib import Path

home = os.environ.setdefault("TESTS_HOME", os.environ.get("REGULARS_HOME") or str(Path(__file__).resolve().parent.parent / ".local"))
os.environ["REGULARS_HOME"] = str(Path(home) / os.environ.get("PYTEST_XDIST_WORKER", "migrated"))
