"""``make test`` and ``make check``: every step with its duration; all of them run even when one fails."""

import argparse
import os
import sys
import time
from pathlib import Path

from tests.machine import embedded_servers, find_chromium
from tests.steps import CHAOS, FAST, Step, run_all, run_full

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the steps and say what failed; the exit code is 1 when something did."""
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="the subset of make check")
    parser.add_argument("--chaos", action="store_true", help="the crash test at full size")
    wanted = parser.parse_args()
    os.chdir(ROOT)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each of the fifty processes to come would compile the product anew
    began = time.monotonic()
    if not (wanted.fast or wanted.chaos):
        find_chromium()
    with embedded_servers():
        failed = run_all(FAST) if wanted.fast else run_all(CHAOS) if wanted.chaos else run_full()
    return _report(failed, time.monotonic() - began)


def _report(failed: list[Step], seconds: float) -> int:
    verdict = f"FAILED: {', '.join(step.name for step in failed)}" if failed else "All passed"
    sys.stdout.write(f"\n{verdict} in {seconds:.0f} s\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
