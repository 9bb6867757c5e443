"""The steps of ``make test``: a name and a command each."""

import os
import subprocess
import sys
import time
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
TESTS = Step("tests", python("-m", "pytest", "-q", "-p", "tests.own_servers", "-n", "2", "--durations=10"))
RULES = Step("tests of the rules", python("-m", "pytest", "-q", *rule_tests()))
CRASH = Step("chaos", python("-m", "pytest", "-q", "-s", "-m", "chaos"), (("CHAOS", "full"),))

FAST = (FORMAT, LINT, FLOORS, TYPES, TEMPLATES, RULES)
FULL = (FORMAT, LINT, FLOORS, TYPES, TEMPLATES, MIGRATIONS, SCHEMA, TESTS)
CHAOS = (CRASH,)


def run_step(step: Step) -> bool:
    """Run one step with its output shown; print how long it took."""
    say(f"\n== {step.name}")
    began = time.monotonic()
    done = subprocess.run(step.command, env={**os.environ, **dict(step.variables)}, check=False)
    say(f"== {step.name}: {'ok' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - began:.1f} s")
    return done.returncode == 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
