"""The steps of ``make test``: a name and a command each."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
LAST_WORDS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Step:
    """One check; its command is run from the project's root, with ``variables`` added to the environment, for ``minutes`` at most."""

    name: str
    command: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()
    minutes: float = 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step went; its output where it was caught."""

    step: Step
    went_well: bool
    seconds: float
    output: str


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
TESTS = Step("tests", python("-m", "pytest", "-q", "-p", "tests.own_servers", "-n", "3", "--maxschedchunk=1", "--durations=10"))
RULES = Step("tests of the rules", python("-m", "pytest", "-q", *rule_tests()))
CRASH = Step("chaos", python("-m", "pytest", "-q", "-s", "-m", "chaos", "--timeout=0"), (("CHAOS", "full"),), minutes=300)

STYLE = (FORMAT, LINT, FLOORS, TEMPLATES)
FAST = (*STYLE, TYPES, RULES)
CHAOS = (CRASH,)


def run_all(steps: Iterable[Step]) -> list[Step]:
    """Run one step after another; those that failed."""
    return [step for step in steps if not run_step(step)]


def run_full() -> list[Step]:
    """Everything; types are checked beside the tests, in the gaps that these leave, and told when they end."""
    failed = run_all(STYLE)
    with ThreadPoolExecutor(1) as pool:
        types = pool.submit(run, TYPES, is_heard=False)
        failed += run_all([TESTS])
        say(f"\n== {TYPES.name}, beside the tests")
        return failed + [TYPES] * (not tell(types.result()))


def run_step(step: Step) -> bool:
    """Run one step with its output shown; whether it went well."""
    say(f"\n== {step.name}")
    return tell(run(step))


def run(step: Step, *, is_heard: bool = True) -> Outcome:
    """Run one step; its output goes where ours goes, or is kept for later."""
    began = time.monotonic()
    stdout, stderr = (None, None) if is_heard else (subprocess.PIPE, subprocess.STDOUT)
    environment = {**os.environ, **dict(step.variables)}
    with subprocess.Popen(step.command, env=environment, stdout=stdout, stderr=stderr, text=True, start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=step.minutes * 60)
        except subprocess.TimeoutExpired:
            _end(process)
            output = f"!! It did not end within {step.minutes:g} minutes and was stopped.\n"
        except BaseException:
            _end(process)
            raise
    return Outcome(step, process.returncode == 0, time.monotonic() - began, output or "")


def _end(process: "subprocess.Popen[str]") -> None:
    """Stop a step with all that it started; Python's processes say what they were at."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGABRT)
        time.sleep(LAST_WORDS_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)


def tell(outcome: Outcome) -> bool:
    """Print how a step went and how long it took; whether it went well."""
    say(f"{outcome.output}== {outcome.step.name}: {'ok' if outcome.went_well else 'FAILED'} in {outcome.seconds:.1f} s")
    return outcome.went_well


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
