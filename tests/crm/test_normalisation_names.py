"""Names are kept as written and found however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.normalisation import clean_text, latin_digits, persian_digits, search_key


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ava \t Smith\n", "Ava Smith"),
        ("علي كريمي", "علی کریمی"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("علی\u200c رضا\u200c", "علی رضا"),
        ("Zoe\u0308\u0000\u202e", "Zoë"),
        ("\u200b\ufeff", ""),
        ("👩\u200d🍳 Café", "👩\u200d🍳 Café"),
    ],
)
def test_text_is_kept_clean(typed: str, kept: str) -> None:
    assert clean_text(typed) == kept


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("علي كريمي", "علی کریمی"),
        ("می\u200cخواهم", "میخواهم"),
        ("Élan O’Lunney", "elan olunney"),
        ("Straße", "STRASSE"),
        ("آرش", "ارش"),
        ("Łukasz Ørsted", "lukasz orsted"),
        ("فاطمة", "فاطمه"),
        ("شعبه ۲", "شعبه 2"),
        ("Smith-Jones", "smith jones"),
    ],
)
def test_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert search_key(one) == search_key(other) != ""


def test_different_names_have_different_keys() -> None:
    assert len({search_key(name) for name in ("Ava", "Eva", "رضا", "رضایی", "Müller", "Miller")}) == 6


def test_digits_of_every_script_become_latin_and_back_to_persian() -> None:
    assert latin_digits("۱۲۳ ٤٥٦ ７８９ १") == "123 456 789 1"
    assert persian_digits("2025-03") == "۲۰۲۵-۰۳"


@given(st.text(max_size=40))
def test_cleaning_and_folding_again_change_nothing(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)
    assert search_key(search_key(text)) == search_key(text)
