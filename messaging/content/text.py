"""The text part: what the HTML says, in words and addresses."""

from __future__ import annotations

import re

from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig

from messaging.content.expressions import soften_conditions
from messaging.content.grammar import Kind, read_pieces
from messaging.content.markup import Marks

_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]*)\)")
# Layout is mostly tables, which the text writer would lay out too, tearing marks out of place.
_ROW = re.compile(r"<(/?)(?:table|thead|tbody|tfoot|tr)\b[^>]*>", re.IGNORECASE)
_CELL = re.compile(r"<(/?)t[dh]\b[^>]*>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CONFIG = ParserConfig(css=CSS_PROFILES["relaxed"], display_links=True, display_images=True)


def derive_text(document: str, marks: Marks) -> str:
    """The text of an HTML document that still carries marks; marks survive, link addresses too."""
    words = _COMMENT.sub("", marks.uncomment(document))
    words = _CELL.sub(lambda match: "</span> " if match[1] else "<span>", words)
    words = _ROW.sub(lambda match: f"<{match[1]}div>", words)
    text = get_text(words, _CONFIG)
    text = _LINK.sub(_write_link, text)
    return tidy_text(text, marks)


def mark_text(source: str, marks: Marks) -> str:
    """An author's own text part with its tags behind marks."""
    out = []
    for piece in read_pieces(source):
        if piece.kind is Kind.LITERAL:
            out.append(piece.text)
        else:
            statement = piece.kind is Kind.STATEMENT
            out.append(marks.add(soften_conditions(piece), statement=statement))
    return "".join(out)


def tidy_text(text: str, marks: Marks) -> str:
    """No layout of tables, no runs of empty lines, no line for a tag that prints nothing."""
    lines: list[str] = []
    carried = ""
    for raw in text.split("\n"):
        line = re.sub(r"[ \t\u00a0]{2,}", " ", raw).strip()
        numbers = [int(number) for number in marks.pattern.findall(line)]
        if line and not marks.pattern.sub("", line).strip() and marks.statements.issuperset(numbers):
            carried += line.replace(" ", "")
            continue
        if line or (lines and lines[-1]):
            lines.append(carried + line)
            carried = ""
    return "\n".join(lines).strip() + (f"\n{carried}" if carried else "")


def _write_link(match: re.Match[str]) -> str:
    label, address = match[1].strip(), match[2]
    if address.startswith("#") or not address:
        return label
    return address if not label or label == address else f"{label} <{address}>"
