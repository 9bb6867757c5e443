"""Filters of lists that say yes or no, and those that say a moment."""

from urllib.parse import quote

import pytest

from accounts.models import Organization
from tests.api.conftest import Caller, errors_of
from tests.api.loyalty_stage import Problem
from tests.conftest import Cast, signed_in

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


@pytest.mark.parametrize(("query", "found"), [("starts_from=2026-03-01T12:00", 1), ("starts_from=2026-03-01T12:01", 0),
                                              ("starts_before=2026-03-01T12:00", 0), ("starts_before=2026-03-01T12:01", 1)])  # fmt: skip
def test_a_moment_without_an_offset_is_utc_for_programs_and_people(
    cast: Cast, till: Caller, world: dict[str, int], query: str, found: int
) -> None:
    Organization.objects.filter(pk=cast.saffron.pk).update(time_zone="Asia/Tehran")
    asked = [till.get(f"visits/?{query}"), signed_in(cast.alice).get(f"/api/v1/visits/?{query}")]
    assert [len(answer.json()["results"]) for answer in asked] == [found, found]


@pytest.mark.parametrize("written", ["1_0", "1.0", "1e1", "+10"])
def test_what_is_not_written_as_an_id_finds_nothing_of_another(
    till: Caller, world: dict[str, int], assert_problem: Problem, written: str
) -> None:
    told = assert_problem(till.get(f"visits/?customer={quote(written)}"), 400, "invalid")
    assert errors_of(told) == {"customer": "invalid"}
