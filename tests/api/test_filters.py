"""Filters of lists that say yes or no."""

import pytest

from tests.api.conftest import Caller, errors_of
from tests.api.loyalty_stage import Problem

FLAGS = ["campaigns/{campaigns}/recipients/?is_opened", "campaigns/{campaigns}/recipients/?is_clicked", "rewards/?is_active",
         "stamp-cards/?is_active", "templates/?is_archived"]  # fmt: skip


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("value", ["x", "yes", "0", "2", "tru", "۱"])
def test_what_is_neither_yes_nor_no_does_not_return_everything(
    till: Caller, world: dict[str, int], assert_problem: Problem, flag: str, value: str
) -> None:
    told = assert_problem(till.get(f"{flag.format(**world)}={value}"), 400, "invalid")
    assert errors_of(told) == {flag.partition("?")[2]: "invalid"}


@pytest.mark.parametrize(
    ("value", "names"), [("true", ["Wax"]), ("True", ["Wax"]), ("false", ["Comb"]), ("False", ["Comb"]), ("", ["Comb", "Wax"])]
)
def test_yes_and_no_choose(till: Caller, world: dict[str, int], value: str, names: list[str]) -> None:
    till.post("rewards/", {"program": world["programs"], "name": "Comb", "points": 10, "is_active": False})
    assert [row["name"] for row in till.get(f"rewards/?is_active={value}").json()["results"]] == names
