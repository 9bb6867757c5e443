"""The ledger's crash test: workers killed and the database crashed under random operations, then every promise checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.database import cluster_option

LIMITS = {"small": 240, "full": 14_400}


@pytest.mark.chaos
def test_every_promise_of_the_ledger_holds_whatever_is_killed() -> None:
    size = "full" if os.environ.get("CHAOS") == "full" else "small"
    # In a process of its own: it crashes its own database, not the one that the other tests use.
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.loyalty_chaos", "--size", size, *cluster_option()],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=LIMITS[size],
        check=False,
    )
    tally = json.loads(done.stdout.splitlines()[-1])
    sys.stdout.write(json.dumps(tally, indent=2) + "\n")
    assert tally["broken"] == []
    assert tally["operations"] == (1_000_000 if size == "full" else 2_400)
    assert tally["kills"] == (200 if size == "full" else 6)
    assert tally["crashes"] == (5 if size == "full" else 1)
    assert tally["lost"] == 0
    assert tally["entries"] > tally["operations"] // 2
