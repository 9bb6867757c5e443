"""What a sale earns and what its refunds take back, as pure functions."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.rules.earning import Occasion, cap_window, earning, factor_of, rules_that_hold
from loyalty.rules.receipts import Line, Receipt, remaining_lines
from loyalty.rules.terms import CapPer, EarnOn, EarnRule, Multiplier, ProgramTerms, parse_terms

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
PER_TEN_DOLLARS = EarnRule(key="sales", on=EarnOn.AMOUNT, points=1, per_minor=1_000)
PER_PIECE = EarnRule(key="oil", on=EarnOn.PRODUCT, points=3, products=("OIL",))
WINE = EarnRule(key="wine", on=EarnOn.CATEGORY, points=2, per_minor=300, categories=("Wine",))
PLAIN = Fraction(1)


def line(amount: int, *, product: str = "", quantity: int = 1, category: str = "") -> Line:
    return Line(product, category, abs(amount) // (abs(quantity) or 1), Fraction(quantity), Fraction(amount))


def sale(key: int, *lines: Line, at: datetime = AT, number: str = "") -> Receipt:
    return Receipt(key, at, lines, number)


def refund(key: int, *lines: Line, of: int | None = None, days: int = 1) -> Receipt:
    return Receipt(key, AT + timedelta(days=days), lines, is_refund=True, refund_of=of)


def left_points(receipts: list[Receipt], factor: Fraction = PLAIN) -> dict[int, int]:
    rules = [PER_TEN_DOLLARS, PER_PIECE, WINE]
    return {key: earning(rules, factor, lines).total for key, lines in remaining_lines(receipts).items()}


def test_points_per_amount_are_rounded_down_once() -> None:
    assert earning([PER_TEN_DOLLARS], PLAIN, [line(600), line(600), line(799)]).total == 1
    assert earning([PER_TEN_DOLLARS, WINE], PLAIN, [line(950, category="Wine")]).points == {"sales": 0, "wine": 7}
    assert earning([PER_TEN_DOLLARS], PLAIN, [line(-5_000)]).total == 0


def test_pieces_and_categories_earn_on_their_lines_alone() -> None:
    lines = [line(700, product="OIL", quantity=2), line(900, category="Wine")]
    assert earning([PER_PIECE, WINE], PLAIN, lines).points == {"oil": 6, "wine": 6}


def test_multipliers_round_once_whatever_their_order() -> None:
    percents = [150, 133, 110, 50]
    totals = set()
    for order in permutations(percents):
        terms = ProgramTerms(multipliers=tuple(Multiplier(key=f"m{place}", percent=one) for place, one in enumerate(order)))
        totals.add(earning([PER_TEN_DOLLARS], factor_of(terms, Occasion(AT)), [line(123_456)]).total)
    assert totals == {135}  # 123.456 x 1.5 x 1.33 x 1.1 x 0.5 = 135.46


def test_the_tier_multiplies_too() -> None:
    terms = parse_terms({"tiers": {"basis": "spend", "levels": [{"key": "gold", "percent": 125}]}})
    assert factor_of(terms, Occasion(AT), tier="gold") == Fraction(5, 4)
    assert factor_of(terms, Occasion(AT), tier="") == 1


def test_conditions_of_rules_and_multipliers() -> None:
    terms = parse_terms(
        {
            "earn": [
                {"key": "here", "on": "visit", "points": 1, "locations": [7]},
                {"key": "spring", "on": "visit", "points": 1, "valid_from": "2026-03-02T12:00:00+00:00"},
                {"key": "over", "on": "visit", "points": 1, "valid_until": "2026-03-02T12:00:00+00:00"},
                {"key": "few", "on": "visit", "points": 1, "rules": {"all": []}},
            ],
            "multipliers": [{"key": "monday", "percent": 200, "weekdays": [0]}],
        }
    )
    kinds = frozenset([EarnOn.VISIT])
    assert [rule.key for rule in rules_that_hold(terms, Occasion(AT), kinds)] == ["spring"]
    assert [rule.key for rule in rules_that_hold(terms, Occasion(AT, 7, ["earn.few"]), kinds)] == ["here", "spring", "few"]
    assert factor_of(terms, Occasion(AT)) == 2
    assert factor_of(terms, Occasion(AT.astimezone(ZoneInfo("Pacific/Kiritimati")))) == 1  # Tuesday there


def test_room_left_by_a_cap_limits_a_rule_after_all_multipliers() -> None:
    earned = earning([PER_TEN_DOLLARS, PER_PIECE], Fraction(3, 2), [line(95_000, product="OIL")], {"sales": 100})
    assert earned.points == {"sales": 100, "oil": 4}
    assert earned.exact == {"sales": Fraction(285, 2), "oil": Fraction(9, 2)}


@pytest.mark.parametrize(
    ("per", "expected"),
    [(CapPer.DAY, ("2026-03-02", "2026-03-03")), (CapPer.MONTH, ("2026-03-01", "2026-04-01")), (CapPer.YEAR, ("2026-01-01", "2027-01-01"))],
)
def test_caps_are_about_local_days_months_and_years(per: CapPer, expected: tuple[str, str]) -> None:
    zone = ZoneInfo("America/New_York")
    window = cap_window(per, AT.astimezone(zone))
    assert window == tuple(datetime.fromisoformat(day).replace(tzinfo=zone) for day in expected)
    assert cap_window(CapPer.MEMBER, AT) is None


def test_one_dollar_refunds_at_a_point_per_ten_dollars_take_back_what_one_refund_would() -> None:
    sold = sale(1, line(9_500))
    left = [left_points([sold, *(refund(key, line(-100), of=1) for key in range(2, 2 + count))])[1] for count in range(96)]
    assert left == [(9_500 - 100 * count) // 1_000 for count in range(96)]


parts = st.lists(st.integers(1, 4_000), min_size=1, max_size=12)
factors = st.fractions(Fraction(1, 3), 3, max_denominator=7)


@given(parts=parts, rest=st.integers(0, 5_000), factor=factors)
def test_any_split_of_refunds_leaves_what_one_refund_would(parts: list[int], rest: int, factor: Fraction) -> None:
    sold = sale(1, line(sum(parts), product="OIL", quantity=3), line(rest, category="Wine"))
    split = [refund(key, line(-part), of=1, days=key) for key, part in enumerate(parts, start=2)]
    lefts = [left_points([sold, *split[:count]], factor)[1] for count in range(len(split) + 1)]
    assert lefts[-1] == left_points([sold, refund(2, line(-sum(parts)), of=1)], factor)[1]
    assert lefts == sorted(lefts, reverse=True)


pieces = st.lists(st.tuples(st.sampled_from(["OIL", "SOAP", "COMB"]), st.integers(1, 3)), min_size=1, max_size=8)


@given(pieces=pieces, days=st.lists(st.integers(0, 9), min_size=3, max_size=3), data=st.data())
def test_refunds_without_their_sale_match_the_same_whatever_the_order_of_arrival(
    pieces: list[tuple[str, int]], days: list[int], data: st.DataObject
) -> None:
    prices = {"OIL": 700, "SOAP": 450, "COMB": 120}
    sales = [
        sale(key, *(line(prices[name] * 2, product=name, quantity=2) for name in prices), at=AT + timedelta(days=day), number=f"S{key}")
        for key, day in enumerate(days)
    ]
    backs = [
        refund(10 + key, line(-prices[name] * count, product=name, quantity=-count), days=3 + key)
        for key, (name, count) in enumerate(pieces)
    ]
    receipts = [*sales, *backs]
    shuffled = data.draw(st.permutations(receipts))
    assert remaining_lines(shuffled) == remaining_lines(receipts)


def test_a_refund_without_its_sale_takes_the_latest_earlier_one_of_that_product_and_price() -> None:
    old, dear = sale(1, line(2_000, product="OIL", quantity=2)), sale(2, line(1_500, product="OIL"), at=AT + timedelta(hours=1))
    late = sale(3, line(2_000, product="OIL", quantity=2), at=AT + timedelta(days=5))
    back = refund(9, line(-1_000, product="OIL", quantity=-1))
    assert left_points([old, dear, late, back]) == {1: 1 + 3, 2: 1 + 3, 3: 2 + 6}
    other_price = refund(9, line(-900, product="OIL", quantity=-1))
    assert left_points([old, dear, late, other_price]) == {1: 2 + 6, 2: 0, 3: 2 + 6}


def test_a_refund_of_something_else_lowers_the_latest_earlier_sale_by_its_amount() -> None:
    first, second = sale(1, line(5_000)), sale(2, line(3_000), at=AT + timedelta(hours=1))
    assert left_points([first, second, refund(9, line(-4_000, product="D", quantity=-1))]) == {1: 4, 2: 0}


def test_a_refund_before_its_sale_waits_and_a_stranger_takes_nothing() -> None:
    back = refund(9, line(-1_000, product="OIL", quantity=-1))
    assert left_points([back]) == {}
    assert left_points([sale(1, line(1_000, product="OIL")), back]) == {1: 0}
    assert left_points([sale(1, line(2_000, product="OIL"), at=AT + timedelta(days=3)), back]) == {1: 2 + 3}


def test_a_sale_of_nothing_in_sum_keeps_what_its_pieces_earned() -> None:
    gift = sale(1, line(700, product="OIL"), line(-700))
    assert left_points([gift]) == {1: earning([PER_TEN_DOLLARS, PER_PIECE, WINE], PLAIN, gift.lines).total} == {1: 3}
    assert left_points([gift, refund(9, line(-300))]) == {1: 3}
