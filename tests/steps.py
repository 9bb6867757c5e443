"""The steps of ``make test``: a name and a command each."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Step:
    """One check; its command is run from the project's root, with ``variables`` added to the environment."""

    name: str
    command: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()


def python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)


def rule_tests() -> list[str]:
    """Tests of pure logic: no rows, no processes."""
    patterns = ("crm/test_normalisation_*.py", "messaging/test_smtp_wire.py", "messaging/test_tracking_tokens.py")
    return [str(path) for pattern in patterns for path in sorted(Path(__file__).parent.glob(pattern))]


FORMAT = Step("format", tool("ruff", "format", "--check", "--quiet", "."))
LINT = Step("lint", tool("ruff", "check", "--quiet", "."))
FLOORS = Step("floors (import-linter)", tool("lint-imports"))
TYPES = Step("types (mypy)", tool("mypy", "--no-error-summary", "."))
TEMPLATES = Step("templates (djlint)", tool("djlint", "--quiet", "--lint", "."))
MIGRATIONS = Step("migrations", python("manage.py", "makemigrations", "--check", "--dry-run", "--verbosity", "1"))
SCHEMA = Step("API schema", python("manage.py", "spectacular", "--validate", "--fail-on-warn", "--file", os.devnull))
TESTS = Step("tests", python("-m", "pytest", "-q", "-p", "tests.own_servers", "-n", "2", "--maxschedchunk=1", "--durations=10"))
RULES = Step("tests of the rules", python("-m", "pytest", "-q", *rule_tests()))
CRASH = Step("chaos", python("-m", "pytest", "-q", "-s", "-m", "chaos"), (("CHAOS", "full"),))

FAST = (FORMAT, LINT, FLOORS, TYPES, TEMPLATES, RULES)
QUICK = (FORMAT, LINT, FLOORS, TEMPLATES)
# They run beside the tests, in the gaps that these leave.
BESIDE = (TYPES, MIGRATIONS, SCHEMA)
CHAOS = (CRASH,)


def run_all(steps: Iterable[Step]) -> list[Step]:
    """Run one step after another with their output shown; those that failed."""
    return [step for step in steps if not run_step(step)]


def run_full() -> list[Step]:
    """Everything: what is slow and no test runs beside the tests, and is told when they end; the steps that failed."""
    failed = run_all(QUICK)
    with ThreadPoolExecutor(1) as pool:
        beside = [(step, pool.submit(run_quietly, step)) for step in BESIDE]
        failed += run_all([TESTS])
        return failed + [step for step, done in beside if not tell(step, *done.result())]


def run_step(step: Step) -> bool:
    """Run one step with its output shown; print how long it took."""
    say(f"\n== {step.name}")
    began = time.monotonic()
    done = subprocess.run(step.command, env=environment(step), check=False)
    return verdict(step, done.returncode, time.monotonic() - began)


def run_quietly(step: Step) -> tuple[int, float, str]:
    """Run one step; its exit code, how long it took, and what it said."""
    began = time.monotonic()
    done = subprocess.run(step.command, env=environment(step), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, time.monotonic() - began, done.stdout


def tell(step: Step, code: int, seconds: float, output: str) -> bool:
    """Print what a quiet step said."""
    say(f"\n== {step.name} (beside the tests)")
    sys.stdout.write(output)
    return verdict(step, code, seconds)


def verdict(step: Step, code: int, seconds: float) -> bool:
    say(f"== {step.name}: {'FAILED' if code else 'ok'} in {seconds:.1f} s")
    return code == 0


def environment(step: Step) -> dict[str, str]:
    return {**os.environ, **dict(step.variables)}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
