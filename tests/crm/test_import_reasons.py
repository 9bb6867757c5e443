"""Why rows were refused is kept as it can be told in every language, and told in the reader's."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation

from accounts.tenancy import tenant
from crm.imports import comparing, folding, rows, staging
from crm.models import ImportFinding
from tests.conftest import Cast
from tests.crm.import_files import imported

SAYING = ("Problem", "NormalisationError", "UnreadableFileError", "Finding")
ROOT = Path(__file__).resolve().parents[2]
PEOPLE = "id,email,phone,city,country\n1,a@example.com,,,\n2,a@example.com,,,\n3,nobody,,,\n4,,+12025550188,,Atlantis\n5,,1,,\n6,a@b@c.com,,,,,x\n"


def reasons(cast: Cast, language: str) -> list[str]:
    with tenant(cast.saffron.pk), translation.override(language):
        return [finding.reason for finding in ImportFinding.objects.order_by("row")]


def test_reasons_are_told_in_the_readers_language_with_what_they_name(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, PEOPLE)
    english, persian = reasons(cast, "en"), reasons(cast, "fa")
    assert (english[0], persian[0]) == (
        "The e-mail address belongs to another person, in row 2.", "این ایمیل از آنِ کس دیگری در ردیف ۲ است.",
    )  # fmt: skip
    assert (english[2], persian[2]) == ("This country is not known.", "این کشور شناخته نشد.")
    assert english[1].startswith("An email address must have an @-sign")
    assert persian[1] == "این ایمیل معتبر نیست."
    assert english[4] == "The row has 7 cells, the header 5; it cannot be told which belong where."
    assert all(told.isascii() for told in english)
    assert not any(told.isascii() for told in persian)


def test_page_download_and_api_tell_the_same(as_alice: Client, cast: Cast) -> None:
    job = imported(cast.saffron, cast.alice_acts, PEOPLE)
    as_alice.cookies["django_language"] = "fa"
    for path in (f"/imports/{job.pk}/", f"/imports/{job.pk}/rows.csv"):
        assert "این کشور شناخته نشد." in as_alice.get(path).content.decode()
        assert "This country is not known." not in as_alice.get(path).content.decode()


def test_a_file_that_is_no_table_is_refused_in_the_readers_language(as_alice: Client, cast: Cast) -> None:
    as_alice.cookies["django_language"] = "fa"
    file = SimpleUploadedFile("people.csv", b"%PDF-1.7 nothing to import")
    page = as_alice.post("/imports/new/", {"kind": "customers", "file": file}).content.decode()
    assert "این PDF است، نه جدول" in page
    assert "This is a PDF" not in page


def sentences() -> Iterator[str]:
    for folder in ("crm/imports", "crm/normalisation"):
        for path in sorted((ROOT / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and path.name in ("fields.py", "actions.py"):
                    yield from (told for told in [str(node.value.value)] if told.endswith("."))
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAYING:
                    yield from (told for each in node.args if isinstance(each, ast.Constant) and (told := str(each.value)).endswith("."))
    yield from (
        *folding.TAKEN.values(),
        *comparing._CLASHES.values(),
        comparing._SAME_PERSON,
        rows._TOO_MANY,
        *staging.BROKEN_MESSAGES.values(),
    )


@pytest.mark.parametrize("sentence", sorted(set(sentences())))
def test_every_reason_has_its_persian_words(sentence: str) -> None:
    with translation.override("fa"):
        assert translation.gettext(sentence) != sentence
