"""The crash test: real workers killed, the broker emptied and the database restarted under a running dispatch."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.database import cluster_option

LIMITS = {"small": 240, "full": 1_200}


@pytest.mark.chaos
def test_no_message_is_lost_or_sent_twice_whatever_is_killed() -> None:
    size = "full" if os.environ.get("CHAOS") == "full" else "small"
    # In a process of its own: it restarts its own database, not the one that the other tests use.
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.chaos", "--size", size, *cluster_option()],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=LIMITS[size],
        check=False,
    )
    tally = json.loads(done.stdout.splitlines()[-1])
    sys.stdout.write(json.dumps(tally, indent=2) + "\n")
    assert tally["broken"] == []
    assert tally["kills"] >= (20 if size == "full" else 3)
    assert tally["postgres_restarts"] >= (2 if size == "full" else 1)
    assert tally["valkey_restarts"] >= 1
    assert tally["arrived_twice"] == 0
    assert tally["lost"] == 0
    assert set(tally["states"]) <= {"sent", "ambiguous"}
    assert sum(tally["states"].values()) == tally["people"]
    assert tally["ambiguous"] <= 16 * tally["kills"]
