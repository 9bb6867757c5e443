"""Any table that people send is read row by row, or refused in one sentence."""

import csv
import gzip
import io
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from accounts.formulas import safe_cell
from crm.imports import limits
from crm.imports.cells import COUNTRY_CODES, NULL, country_names, country_rule
from crm.imports.limits import UnreadableFileError
from crm.imports.records import Block, TextTable
from crm.imports.rows import Square
from crm.imports.source import Source
from crm.imports.tables import cut_columns, cut_rows, open_table


def rows_of(path: Path, **told: str) -> list[list[str]]:
    table = open_table(path, **told)
    return [cells for block in table.blocks() for cells in cut_rows(block, table.source.delimiter)]


def kept(folder: Path, content: bytes, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-16-le"])
def test_encodings_are_detected(tmp_path: Path, encoding: str) -> None:
    text = "name;city\r\nZoë Müller;Besançon\r\nJosé;Málaga\r\nFrançois;Köln\r\n"
    table = open_table(kept(tmp_path, text.encode(encoding)))
    assert (table.source.encoding, table.source.delimiter, table.header) == (encoding, ";", ["name", "city"])
    assert [cut_rows(block, ";") for block in table.blocks()] == [[["Zoë Müller", "Besançon"], ["José", "Málaga"], ["François", "Köln"]]]


def test_a_western_page_is_not_taken_for_an_eastern_one_unless_told(tmp_path: Path) -> None:
    path = kept(tmp_path, "name\nČeňek\n".encode("cp1250"))
    assert open_table(path).source.encoding == "cp1252"
    assert rows_of(path, encoding="cp1250") == [["Čeňek"]]
    persian = "نام,شهر\nزهرا احمدی,اصفهان\nعلی رضایی,شیراز\nمریم کریمی,تهران\n".replace("ی", "ي").encode("cp1256", "replace")
    assert open_table(kept(tmp_path, persian)).source.encoding == "cp1256"


def test_bytes_that_do_not_fit_the_encoding_are_refused(tmp_path: Path) -> None:
    path = kept(tmp_path, b"name\n" + b"plain\n" * 100_000 + "Zoë\n".encode("cp1252"))
    with pytest.raises(UnreadableFileError, match="cannot be read as utf-8"):
        rows_of(path)
    with pytest.raises(UnreadableFileError, match="no encoding called klingon"):
        open_table(path, encoding="klingon")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_detected(tmp_path: Path, delimiter: str) -> None:
    path = kept(tmp_path, b"".join(delimiter.join(row).encode() + b"\n" for row in (["a", "b", "c"], ["1", "x y", "2"], ["3", "z", "4"])))
    table = open_table(path)
    assert (table.source.delimiter, table.header) == (delimiter, ["a", "b", "c"])


def test_quotes_newlines_and_bare_returns_inside_rows(tmp_path: Path) -> None:
    content = b'a,b\n1,"two\r\nlines, and ""quotes"""\n3,4" pipe\n"5",6'
    assert rows_of(kept(tmp_path, content)) == [["1", 'two\nlines, and "quotes"'], ["3", '4" pipe'], ["5", "6"]]
    assert rows_of(kept(tmp_path, b"a,b\r1,2\r3,4\r")) == [["1", "2"], ["3", "4"]]


def test_a_quote_never_closed_costs_its_own_row_alone(tmp_path: Path) -> None:
    table = open_table(kept(tmp_path, b'a,b\n1,2\n"open,3\n4,5\n6,7\n'))
    assert [cells for block in table.blocks() for cells in cut_rows(block, ",")] == [["1", "2"], [], ["4", "5"], ["6", "7"]]
    assert [(row.row, row.code, row.raw) for row in table.broken] == [(3, "quote_open", '"open,3')]


def test_rows_with_nuls_or_too_long_are_broken_and_numbered_as_in_a_spreadsheet(tmp_path: Path) -> None:
    long = b"x" * (limits.MAX_FIELD_CHARACTERS + 1)
    table = open_table(kept(tmp_path, b'a,b\n1,2\n\n3,\x004\n"' + long + b'",1\n5,6\n'))
    blocks = [(block.first_row, cut_rows(block, ",")) for block in table.blocks()]
    assert blocks == [(2, [["1", "2"], [], [], [], ["5", "6"]])]
    assert [(row.row, row.code) for row in table.broken] == [(4, "nul"), (5, "row_too_large")]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b",,\n1,2,3\n", "no_header"),
        (b"%PDF-1.7 ...", "not_a_table"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old_excel"),
        (b"BEGIN:VCARD\nVERSION:3.0\nEND:VCARD\n", "vcard"),
        (b"PK\x03\x04 not a zip", "workbook_damaged"),
        (b"\x1f\x8b\x08\x00 not gzip", "packing_damaged"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "packing_damaged"),
        (b",".join(b"c%d" % n for n in range(501)), "too_many_columns"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(tmp_path: Path, content: bytes, code: str) -> None:
    with pytest.raises(UnreadableFileError) as refused:
        rows_of(kept(tmp_path, content))
    assert refused.value.code == code


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert rows_of(kept(tmp_path, b"email,name")) == []
    assert open_table(kept(tmp_path, b"email,,name,,\n")).header == ["email", "column 2", "name"]


def test_a_packed_file_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm.imports.source.FREE_EXPANSION_BYTES", 1 << 20)
    path = kept(tmp_path, gzip.compress(b"a,b\n" + b"0,0\n" * 2_000_000, mtime=0), "bomb.csv.gz")
    with pytest.raises(UnreadableFileError, match="unpacks to more"):
        rows_of(path)


def test_a_workbook_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm.imports.sheets.MAX_SHEET_BYTES", 1 << 20)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (2 << 20))
    with pytest.raises(UnreadableFileError, match="unpacks to more"):
        open_table(kept(tmp_path, buffer.getvalue(), "bomb.xlsx"))


@pytest.mark.parametrize("far", ["XFD1048576", "SF999999", "A4000000000"])
def test_a_workbook_whose_cells_lie_too_far_apart_is_refused_before_its_table_is_made(tmp_path: Path, far: str) -> None:
    with pytest.raises(UnreadableFileError) as refused:
        open_table(kept(tmp_path, _workbook_with("A1", far), "book.xlsx"))
    assert refused.value.code == "too_large"


def test_a_workbook_with_a_cell_behind_the_others_is_read(tmp_path: Path) -> None:
    table = open_table(kept(tmp_path, _workbook_with("A1", "B2", "AB1200"), "book.xlsx"))
    assert [(block.first_row, block.count) for block in table.blocks()] == [(2, 1199)]
    assert table.header == ["A1"]


@pytest.mark.parametrize(("sharing", "is_taken"), [(1, True), (400, False)])
def test_a_long_text_that_many_cells_share_is_refused_before_each_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sharing: int, is_taken: bool
) -> None:
    monkeypatch.setattr("crm.imports.sheets.MAX_SHEET_BYTES", 1 << 20)
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet("people")
        for row in range(401):
            sheet.write_row(row, 0, ["n", "x" * 30_000 if 0 < row <= sharing else "short"])
    path = kept(tmp_path, buffer.getvalue(), "book.xlsx")
    if is_taken:
        assert open_table(path).header == ["n", "short"]
    else:
        with pytest.raises(UnreadableFileError, match="unpacks to more"):
            open_table(path)


def _workbook_with(*places: str) -> bytes:
    """A workbook whose cells hold their own places."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.add_worksheet("people")
    with zipfile.ZipFile(buffer) as empty:
        parts = {name: empty.read(name) for name in empty.namelist()}
    cells = "".join(f'<row><c r="{place}" t="inlineStr"><is><t>{place}</t></is></c></row>' for place in places)
    sheet = parts["xl/worksheets/sheet1.xml"].replace(b"<sheetData/>", f"<sheetData>{cells}</sheetData>".encode())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in {**parts, "xl/worksheets/sheet1.xml": sheet}.items():
            archive.writestr(name, part)
    return out.getvalue()


@pytest.mark.parametrize("part", ["content.xml", "xl/workbook.bin"])
def test_a_workbook_of_another_kind_is_refused_with_a_word_on_what_to_do(tmp_path: Path, part: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(part, b"<rows/>")
    with pytest.raises(UnreadableFileError) as refused:
        open_table(kept(tmp_path, buffer.getvalue(), "book.ods"))
    assert (refused.value.code, str(refused.value)) == ("other_workbook", "This is a workbook of another kind; save it as .xlsx or CSV.")


def test_gzip_and_workbooks_are_read_like_csv(tmp_path: Path) -> None:
    assert rows_of(kept(tmp_path, gzip.compress(b"a\tb\n1\t2\n", mtime=0))) == [["1", "2"]]
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("empty")
        sheet = book.add_worksheet("people")
        sheet.write_row(2, 0, ["id", "name", "born", "paid", "vip"])
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(3, 0, [17850, "زهرا"])
        sheet.write_datetime(3, 2, datetime(1990, 5, 12), day)  # noqa: DTZ001 - workbooks know no zones
        sheet.write_row(3, 3, [2.55, True])
        sheet.write_number(5, 0, 1)
        sheet.write_string(5, 1, "=SUM")
    table = open_table(path)
    blocks = [(block.first_row, block.rows) for block in table.blocks()]
    assert table.header == ["id", "name", "born", "paid", "vip"]
    assert blocks[0][0] == 4
    assert [cells for cells in blocks[0][1] or [] if cells] == [["17850", "زهرا", "1990-05-12", "2.55", "true"], ["1", "=SUM"]]


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=30), st.integers(3, 40))
@example([["", "'|"]], 3)
def test_rows_come_out_as_they_were_written_whatever_the_pieces_they_are_read_in(rows: list[list[str]], piece: int) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["one", "two"])
    writer.writerows([map(safe_cell, cells) for cells in rows])  # as an export does
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("crm.imports.records.PIECE_BYTES", piece)
        path = kept(Path(folder), out.getvalue().encode())
        table = TextTable(Source(path, "csv", False, "utf-8", ",", frozenset()))
        read = [(block.first_row + at, cells) for block in table.blocks() for at, cells in enumerate(cut_rows(block, ","))]
    assert read == [(number, [*cells]) for number, cells in enumerate(rows, 2)]
    assert table.broken == []


@given(st.lists(st.lists(st.text("ab é\u2028", max_size=3), min_size=1, max_size=4), min_size=1, max_size=8), st.booleans())
def test_columns_cut_at_once_are_those_of_the_rows_cut_one_by_one(rows: list[list[str]], ends: bool) -> None:
    text = "\n".join(";".join(cells) for cells in rows) + "\n" * ends
    assume(text)
    block = Block(2, text.count("\n") + (not text.endswith("\n")), text, None)
    cut = [cells or [""] for cells in cut_rows(block, ";")]
    columns = cut_columns(block, 3, ";")
    assert (columns is None) == any(len(cells) != 3 for cells in cut)
    assert columns is None or [list(column) for column in columns] == [list(column) for column in zip(*cut, strict=True)]


@pytest.mark.parametrize("line", ["'-;b", "a;'=b", "'@a;'b"])
def test_what_an_export_held_back_is_restored_in_the_fast_lane_too(line: str) -> None:
    block = Block(2, 3, f"a;b\n{line}\n'a;'t Hooft\n", None)
    assert list(Square(block, 2, ";").rows()) == [
        ("a", "b"),
        {"'-;b": ("-", "b"), "a;'=b": ("a", "=b"), "'@a;'b": ("@a", "'b")}[line],
        ("'a", "'t Hooft"),
    ]


@pytest.mark.parametrize(("line", "is_fast"), [("O'Neil;b'", True), ("a;'", False), ("';b", False), ("a;''b", False)])
@pytest.mark.parametrize("before", ["", "x;y\n", "x';y\n"])
def test_an_apostrophe_inside_a_cell_keeps_a_block_in_the_fast_lane(before: str, line: str, is_fast: bool) -> None:
    text = f"{before}{line}\n"
    assert (cut_columns(Block(2, text.count("\n"), text, None), 2, ";") is not None) == is_fast


def test_countries_written_as_codes_are_those_written_out() -> None:
    read = country_rule()
    assert [code for code in sorted(COUNTRY_CODES) if country_names()[code.lower()] != code] == []
    assert [read[text] for text in ("US", "us", "Germany", "UK", "NA", "")] == ["US", "US", "DE", "GB", NULL, NULL]
