"""What points owe."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from loyalty.rules.liability import Split, Worth, split_sale

WORTH = Worth(point_minor=Fraction("1.2"), redeemed_share=Fraction(80, 100))


def test_a_sale_of_800_with_2000_points_is_781_25_and_18_75() -> None:
    assert split_sale(sale_minor=80_000, points=2_000, worth=WORTH) == Split(78_125, 1_875)


def test_a_sale_without_points_belongs_to_the_goods() -> None:
    assert split_sale(sale_minor=80_000, points=0, worth=WORTH) == Split(80_000, 0)


@given(st.integers(1, 10**9), st.integers(0, 10**7))
def test_the_parts_of_a_sale_are_the_sale(sale_minor: int, points: int) -> None:
    split = split_sale(sale_minor=sale_minor, points=points, worth=WORTH)
    assert split.goods_minor + split.points_minor == sale_minor
    assert 0 <= split.points_minor <= sale_minor
