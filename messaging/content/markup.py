"""HTML of a message on its way through parsers that know nothing of templates.

Tags of the template are hidden behind marks while the HTML is parsed, its CSS inlined and its
links found, and put back afterwards. A mark has the form its place can carry: plain letters in
text and attribute values, a comment between elements (where text would be moved out of tables).
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from css_inline import CSSInliner, InlineError
from django.utils.translation import gettext as _

from messaging.content.expressions import soften_conditions
from messaging.content.grammar import Kind, Piece, protect, read_pieces
from messaging.content.problems import MessageRejectedError, Part, Problem

_RAW_ELEMENTS = ("style", "script", "title", "textarea")
_META = re.compile(r"<meta\s[^<>]*>", re.IGNORECASE)
_LINK = re.compile(r"<link\b[^<>]*>", re.IGNORECASE)
_STYLE_SHEET = re.compile(r"\bstylesheet\b", re.IGNORECASE)
_ELEMENT = re.compile(r"<(/?)([a-zA-Z][\w:-]*)[^<>]*>")
# Elements without an end, and those whose end is implied by the next.
_FLAT = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "td",
        "th",
        "tr",
        "tbody",
        "thead",
        "tfoot",
        "dt",
        "dd",
        "option",
    ]
)
MAX_ELEMENT_DEPTH = 100
_HTML_START = re.compile(r"<html((?:\s[^>]*)?)>", re.IGNORECASE)
_RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})
_ELEMENT_START = re.compile(r"<(style|script|title|textarea)\b", re.IGNORECASE)


class _Place(Enum):
    TEXT = "text"
    TAG = "tag"
    VALUE = "value"
    COMMENT = "comment"
    RAW = "raw"


@dataclass(slots=True)
class Marks:
    """The template tags (and later the links) that marks in the text stand for."""

    prefix: str = field(default_factory=lambda: f"zq{secrets.token_hex(4)}x")
    replacements: list[str] = field(default_factory=list)
    statements: set[int] = field(default_factory=set)

    def add(self, replacement: str, *, statement: bool = False) -> str:
        """A new mark for this replacement."""
        if statement:
            self.statements.add(len(self.replacements))
        self.replacements.append(replacement)
        return f"{self.prefix}{len(self.replacements) - 1}x"

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches a mark; group 1 is its number."""
        return re.compile(rf"{self.prefix}(\d+)x")

    def uncomment(self, text: str) -> str:
        """Statement marks without the comment that carried them through the parser."""
        return re.sub(rf"<!--({self.prefix}\d+x)-->", r"\1", text)

    def restore(self, text: str) -> str:
        """The text as template source: literals protected, marks replaced."""
        parts = self.pattern.split(text)
        return "".join(self.replacements[int(part)] if index % 2 else protect(part) for index, part in enumerate(parts))


class _Reader:
    """Follows where in the HTML each literal ends, just well enough to know what a mark may be."""

    def __init__(self) -> None:
        self.place = _Place.TEXT
        self.quote = ""
        self.element = ""

    def read(self, text: str) -> None:
        """Move over a run of literal HTML."""
        position = 0
        while position < len(text):
            position = getattr(self, f"_in_{self.place.value}")(text, position)

    def _in_text(self, text: str, position: int) -> int:
        start = text.find("<", position)
        if start < 0:
            return len(text)
        if text.startswith("<!--", start):
            self.place = _Place.COMMENT
            return start + 4
        if start + 1 < len(text) and (text[start + 1].isalpha() or text[start + 1] in "/!"):
            match = _ELEMENT_START.match(text, start)
            self.element = match[1].lower() if match else ""
            self.place = _Place.TAG
        return start + 1

    def _in_tag(self, text: str, position: int) -> int:
        for index in range(position, len(text)):
            if text[index] in "\"'":
                self.place, self.quote = _Place.VALUE, text[index]
                return index + 1
            if text[index] == ">":
                self.place = _Place.RAW if self.element in _RAW_ELEMENTS else _Place.TEXT
                return index + 1
        return len(text)

    def _in_value(self, text: str, position: int) -> int:
        end = text.find(self.quote, position)
        if end < 0:
            return len(text)
        self.place = _Place.TAG
        return end + 1

    def _in_comment(self, text: str, position: int) -> int:
        end = text.find("-->", position)
        if end < 0:
            return len(text)
        self.place = _Place.TEXT
        return end + 3

    def _in_raw(self, text: str, position: int) -> int:
        end = re.compile(f"</{self.element}", re.IGNORECASE).search(text, position)
        if end is None:
            return len(text)
        self.place, self.element = _Place.TAG, ""
        return end.end()


def hide_tags(source: str, marks: Marks) -> tuple[str, list[Problem]]:
    """The HTML with every template tag behind a mark, and the tags that stand where none can."""
    reader = _Reader()
    problems: list[Problem] = []
    out: list[str] = []
    for piece in read_pieces(source):
        if piece.kind is Kind.LITERAL:
            reader.read(piece.text)
            out.append(piece.text)
            continue
        problem = _misplaced(piece, reader)
        if problem:
            problems.append(problem)
        statement = piece.kind is Kind.STATEMENT
        mark = marks.add(soften_conditions(piece), statement=statement)
        out.append(f"<!--{mark}-->" if statement and reader.place is _Place.TEXT else mark)
    return "".join(out), problems


def _misplaced(piece: Piece, reader: _Reader) -> Problem | None:
    if reader.place is _Place.TAG:
        text = _("A tag inside an HTML element has to stand within a quoted value.")
        return Problem("tag_in_element", text, Part.HTML, piece.line, piece.inner[:60])
    if reader.place is _Place.RAW and piece.kind is Kind.STATEMENT:
        text = _("“%(name)s” cannot be used inside <%(element)s>.")
        message = text % {"name": piece.word, "element": reader.element}
        return Problem("statement_in_element", message, Part.HTML, piece.line, piece.word)
    return None


def check_depth(html: str) -> None:
    """Refuse elements nested so deep that the parser's stack would not hold them."""
    depth: Counter[str] = Counter()
    for match in _ELEMENT.finditer(html):
        name = match[2].lower()
        if name in _FLAT or match[0].endswith("/>"):
            continue
        depth[name] = max(0, depth[name] - 1) if match[1] else depth[name] + 1
        if not match[1] and depth.total() > MAX_ELEMENT_DEPTH:
            text = _("Elements are nested deeper than %(limit)s.") % {"limit": MAX_ELEMENT_DEPTH}
            line = html.count("\n", 0, match.start()) + 1
            raise MessageRejectedError([Problem("too_deep", text, Part.HTML, line, name)])


def inline_styles(html: str) -> str:
    """The document with its style sheet moved into the elements; media queries stay.

    Nothing is fetched: neither linked style sheets nor files of this machine.
    """
    inliner = CSSInliner(load_remote_stylesheets=False, keep_at_rules=True, keep_link_tags=False)
    try:
        return inliner.inline(_without_linked_styles(html))
    except InlineError as error:
        text = _("The style sheet cannot be read: %(error)s") % {"error": error}
        raise MessageRejectedError([Problem("style", text, Part.HTML)]) from error


def _without_linked_styles(html: str) -> str:
    return _LINK.sub(lambda match: "" if _STYLE_SHEET.search(match[0]) else match[0], html)


def finish_document(html: str, language: str) -> str:
    """The document with its doctype, its language and direction, and the one charset that is true."""
    html = _META.sub(lambda match: "" if "charset" in match[0].lower() else match[0], html)
    direction = "rtl" if language.split("-")[0] in _RIGHT_TO_LEFT else "ltr"

    def start(match: re.Match[str]) -> str:
        attributes = match[1]
        if not re.search(r"\slang=", attributes):
            attributes += f' lang="{language}"'
        if not re.search(r"\sdir=", attributes):
            attributes += f' dir="{direction}"'
        return f"<html{attributes}>"

    html = _HTML_START.sub(start, html, count=1)
    html = html.replace("<head>", '<head><meta charset="utf-8">', 1)
    return html if html.lstrip().lower().startswith("<!doctype") else "<!DOCTYPE html>" + html


def insert_in_body(html: str, *, first: str = "", last: str = "") -> str:
    """The document with fragments put at the start and the end of its body."""
    if first:
        html = re.sub(r"(<body(?:\s[^>]*)?>)", lambda match: match[1] + first, html, count=1)
    end = html.rfind("</body>")
    return html + last if end < 0 else html[:end] + last + html[end:]
