"""``make bench``: run the benchmarks, each in a process of its own, print the table, keep ``benchmarks/results.json``.

python -m benchmarks [--size small|full] [--only name]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine, install_programs
from benchmarks.table import table
from tests.machine import embedded_servers

NAMES = ("send_email", "plan_audience", "segment_count", "import_customers", "track", "loyalty_post", "loyalty_redeem", "loyalty_till")
KEPT = Path(__file__).resolve().parent / "results.json"


def main() -> int:
    """Run what is asked for; the exit code is 1 when a benchmark failed or a promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", choices=["small", "full"], default="full")
    parser.add_argument("--only", choices=NAMES)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if wanted.into:
        return _run_here(wanted.only, wanted.size, wanted.into)
    install_programs()
    names = [wanted.only] if wanted.only else list(NAMES)
    with embedded_servers():
        results = [result for name in names if (result := _run_apart(name, wanted.size))]
    sys.stdout.write(f"\n{table(results)}\n\n{describe_machine()}, {wanted.size} size\n")
    if wanted.size == "full":
        _keep(results)
    return 0 if len(results) == len(names) and all(result["holds"] for result in results) else 1


def _run_apart(name: str, size: str) -> dict[str, Any] | None:
    """Run one benchmark in a process of its own, so that memory and connections of one do not show in the next."""
    sys.stdout.write(f"== {name}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "result.json"
        command = [sys.executable, "-m", "benchmarks", "--only", name, "--size", size, "--into", str(answer)]
        if subprocess.run(command, check=False).returncode:
            sys.stdout.write(f"== {name}: FAILED\n")
            return None
        result: dict[str, Any] = json.loads(answer.read_text())
        return result


def _run_here(name: str, size: str, answer: Path) -> int:
    import django

    django.setup()
    result = import_module(f"benchmarks.{name}").run(size)
    about = {"size": size, "machine": describe_machine(), "measured_at": datetime.now(UTC).isoformat(timespec="seconds")}
    answer.write_text(json.dumps({**result.as_json(), **about}))
    return 0


def _keep(results: list[dict[str, Any]]) -> None:
    """Write what was measured; what was not measured this time stays as it was."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept.update({result["name"]: result for result in results})
    KEPT.write_text(json.dumps({name: kept[name] for name in NAMES if name in kept}, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.write(f"Written to {KEPT}\n")


if __name__ == "__main__":
    sys.exit(main())
