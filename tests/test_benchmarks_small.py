"""Every benchmark at its small size: it has to run and to be right; how fast it is says ``make bench``."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from pytest_django.plugin import DjangoDbBlocker

from benchmarks import database
from benchmarks.__main__ import NAMES
from benchmarks.machine import find_program
from benchmarks.result import Result
from tests.database import TEMPLATE

NEEDS = {"send_email": "smtp-sink"}


@pytest.fixture
def cloned_template(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Benchmarks make their own databases; here they clone the suite's in place of migrating."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "template", TEMPLATE)
        yield


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_is_right(name: str, cloned_template: None) -> None:
    if name in NEEDS and find_program(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not on this machine")
    result = import_module(f"benchmarks.{name}").run("small")
    assert isinstance(result, Result)
    assert result.name == name
    assert result.rows > 0
    assert result.ours > 0 < result.reference
    assert result.ratio == pytest.approx(result.ours / result.reference, rel=0.01)
