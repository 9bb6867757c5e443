"""Cells are read a column at a time; what becomes of one does not depend on its neighbours."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crm.imports.cells import NULL, Problem, Rule, email_rule, external_id_rule, kept, phone_rule, text_rule

RULES: dict[str, Callable[[], Rule]] = {
    "number": external_id_rule,
    "text": lambda: text_rule(20),
    "email": email_rule,
    "phone": lambda: phone_rule(region="US"),
}
CELLS = st.one_of(
    st.text("aZ09_-.'\\ \n", max_size=25),
    st.sampled_from(["", "-", "17850.0", "a@example.com", " A.B@EXAMPLE.org", "(201) 200-0001", "+98 912 345 6789", "۰۹۱۲", "x" * 90]),
)


def read(rule: Rule, column: list[str]) -> list[tuple[str, str]]:
    """What COPY takes of each cell, and the code of its problem if it has one."""
    return [(kept(value), value.code if isinstance(value, Problem) else "") for value in rule.column(column)]


@pytest.mark.parametrize("name", RULES)
@example(column=["0\n0"])
@example(column=[f"{number} Main St\nApt {number}" for number in range(64)])
@given(column=st.lists(CELLS, max_size=80))
def test_a_cell_is_read_alike_alone_and_among_others(name: str, column: list[str]) -> None:
    alone = [read(RULES[name](), [cell])[0] for cell in column]
    assert read(RULES[name](), column) == alone


@pytest.mark.parametrize(("name", "plain"), [("number", "1234567890" * 8), ("text", "a b c d e f g h i j"), ("email", "a.b.c@example.com")])
@pytest.mark.parametrize("last", ["", "\u200c", "a b\\"])
def test_the_last_cell_of_a_long_column_costs_no_more_than_any_other(name: str, plain: str, last: str) -> None:
    column = [plain] * 5_000
    values = RULES[name]().column([*column, last])
    assert values[:-1] == column
    assert kept(values[-1]) in (NULL, "a b\\\\")
