"""Phones become E.164, or say why not."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.normalisation import NormalisationError, normalise_phone
from crm.normalisation.digits import persian_digits
from crm.normalisation.phones import certain_phone, certain_phones, normalise_phone_exactly


@pytest.mark.parametrize(
    ("typed", "region", "kept"),
    [
        ("0912 123 4567", "IR", "+989121234567"),
        ("۰۹۱۲۱۲۳۴۵۶۷", "IR", "+989121234567"),
        ("٠٩١٢١٢٣٤٥٦٧", "IR", "+989121234567"),
        ("00989121234567", "US", "+989121234567"),
        ("0098 (912) 123-4567", "GB", "+989121234567"),
        ("+98 912 123 4567", "US", "+989121234567"),
        ("tel:+44 20 7946 0018", "US", "+442079460018"),
        ("\u200e+1 (202) 555-0125\u200f", "IR", "+12025550125"),
        ("(202) 555-0125", "US", "+12025550125"),
        ("06 12345678", "NL", "+31612345678"),
        ("011 39 06 6982", "US", "+39066982"),
    ],
)
def test_a_number_is_read_as_it_is_written_in_its_region(typed: str, region: str, kept: str) -> None:
    assert normalise_phone(typed, region=region) == kept


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "phone_empty"),
        ("   ", "phone_empty"),
        ("call me", "phone_letters"),
        ("1-800-FLOWERS", "phone_letters"),
        ("(202) 555-0125 ext. 4", "phone_extension"),
        ("202-555-0125x12", "phone_extension"),
        ("202 555 0125; 202 555 0126", "phone_several"),
        ("12", "phone_short"),
        ("+1 202 555 01255 555", "phone_long"),
        ("555-0125", "phone_unassigned"),
        ("=2025550125", "phone_garbage"),
        ("+999 123 456 789", "phone_country"),
        ("1" * 65, "phone_long"),
    ],
)
def test_what_is_no_number_says_why(typed: str, code: str) -> None:
    with pytest.raises(NormalisationError) as refused:
        normalise_phone(typed, region="US")
    assert refused.value.code == code


@pytest.mark.realdata
def test_every_number_of_every_region_agrees_with_the_published_answers(shared_data: Path) -> None:
    told: Counter[str] = Counter()
    with (shared_data / "contacts/phone_numbers/libphonenumber_examples.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for column, region in (("national", row["region"]), ("international", row["region"]), ("dialled_from_US", "US")):
                if not row[column]:
                    continue
                try:
                    kept = normalise_phone(row[column], region=region)
                except NormalisationError as refused:
                    told[f"{row['type'] == 'INVALID'} {refused.code}"] += 1
                else:
                    told[f"{row['type'] == 'INVALID'} {kept == row['e164']}"] += 1
    assert told == {"False True": 3 * 1374, "True phone_short": 2 * 163, "True phone_unassigned": 2 * 82}


def outcome(text: str, region: str) -> str:
    try:
        return normalise_phone_exactly(text, region=region)
    except NormalisationError as refused:
        return refused.code


DIALLED = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "0", "00", "+", "001", "011", "(0", "+98", "0098", "+1", "+44", "44", "1"]),
    st.text("0123456789", min_size=3, max_size=14),
    st.sampled_from(["", " ", "-12", " 345"]),
)
REGIONS = st.sampled_from(
    ["IR", "US", "GB", "DE", "IT", "MX", "AR", "BR", "RU", "KZ", "CA", "GG", "AU", "CX", "HU", "NZ", "LI", "SG", "JP"]
)


@given(st.one_of(DIALLED, DIALLED.map(persian_digits)), REGIONS)
def test_the_short_cut_never_answers_otherwise_than_the_library(text: str, region: str) -> None:
    quick = certain_phone(text, region)
    assert not quick or quick == outcome(text, region)


@given(st.lists(st.one_of(DIALLED, DIALLED.map(persian_digits), st.text(max_size=20), st.just("")), max_size=8), REGIONS)
def test_a_column_of_numbers_is_read_as_each_of_them_is(texts: list[str], region: str) -> None:
    assert certain_phones(texts, region) == [certain_phone(text, region) for text in texts]


@given(st.text(max_size=30), REGIONS)
def test_any_text_is_kept_or_refused_with_a_reason_and_keeping_again_changes_nothing(text: str, region: str) -> None:
    kept = outcome(text, region)
    if kept.startswith("+"):
        assert normalise_phone(kept, region=region) == kept
    else:
        assert kept.startswith("phone_")
