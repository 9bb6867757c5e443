"""E-mail addresses are kept in one spelling, or say why not."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.normalisation import NormalisationError, normalise_email, readable_email
from crm.normalisation.emails import certain_email, certain_emails, normalise_email_exactly


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Ava@Example.COM", "ava@example.com"),
        ("  ava@example.com\u200f\n", "ava@example.com"),
        ("ava.smith+shop@mail.example.co.uk", "ava.smith+shop@mail.example.co.uk"),
        ("jeff@臺網中心.tw", "jeff@xn--fiqq24b10vi0d.tw"),
        ("customer-17850@example.test", "customer-17850@example.test"),
        ("Ñoñó@example.com", "ñoñó@example.com"),
    ],
)
def test_an_address_has_one_spelling(typed: str, kept: str) -> None:
    assert normalise_email(typed) == kept


def test_a_domain_is_shown_in_its_own_script() -> None:
    assert readable_email("jeff@xn--fiqq24b10vi0d.tw") == "jeff@臺網中心.tw"
    assert readable_email("ava@example.com") == "ava@example.com"


@pytest.mark.parametrize(
    "typed",
    ["", "ava", "ava@", "@example.com", "a@b", "ava@example..com", "ava @example.com", "Ava <ava@example.com>", "a" * 65 + "@example.com"],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(NormalisationError):
        normalise_email(typed)


@pytest.mark.realdata
def test_verdicts_on_146_addresses(shared_data: Path) -> None:
    """Exact agreement, but for what this product decides by itself.

    It trims white space around an address (2 of 83) and, like every mail program, knows neither display names (3) nor
    quoted local parts (4 and 9; some of those also hold a space) nor private-use characters in them (1).
    """
    told: Counter[tuple[str, str]] = Counter()
    with (shared_data / "contacts/email_addresses/email_validator_cases.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                kept = readable_email(normalise_email(row["input"], allow_test=False))
            except NormalisationError:
                told[row["test"], "refused"] += 1
            else:
                told[row["test"], "same" if row["expected"].lower() == f"normalized={kept}" else "kept"] += 1
    assert told == {
        ("test_email_valid", "same"): 6,
        ("test_email_valid", "refused"): 7,
        ("test_email_valid_intl_local_part", "same"): 15,
        ("test_email_valid_intl_local_part", "refused"): 1,
        ("test_email_valid_only_if_quoted_local_part", "refused"): 9,
        ("test_email_invalid_syntax", "refused"): 81,
        ("test_email_invalid_syntax", "kept"): 2,
        ("test_email_invalid_syntax_strict", "refused"): 3,
        ("test_email_invalid_syntax_display_name", "refused"): 3,
        ("test_email_invalid_reserved_domain", "refused"): 6,
        ("test_email_unsafe_character", "refused"): 11,
        ("test_email_invalid_character_smtputf8_off", "refused"): 2,
    }


ADDRESSES = st.builds("{}@{}".format, st.text("abZ09._+-'\"é ", min_size=1, max_size=70), st.text("abcXY09-.é ", min_size=1, max_size=30))


@given(st.one_of(ADDRESSES, st.emails(), st.text(max_size=40)))
def test_the_short_cut_agrees_with_the_long_way_and_keeping_again_changes_nothing(text: str) -> None:
    quick = certain_email(text)
    try:
        kept = normalise_email_exactly(text, allow_test=True)
    except NormalisationError:
        assert quick == ""
    else:
        assert quick in ("", kept)
        assert normalise_email(kept) == kept


@given(
    st.lists(st.one_of(ADDRESSES, st.emails(), st.text(max_size=20), st.sampled_from(["", " A.b@Example.com ", "a@b.co\n"])), max_size=8)
)
def test_a_column_of_addresses_is_read_as_each_of_them_is(texts: list[str]) -> None:
    assert list(certain_emails(texts)) == [certain_email(text) for text in texts]
