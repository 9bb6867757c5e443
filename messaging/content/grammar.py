"""The subset of the template language that authors may write.

The engine is sandboxed and fuel-limited, yet fuel limits neither memory nor the parser's
stack: a chain of a hundred thousand operators ends the process, and doubling a string forty
times exhausts the machine. So each tag is read here first, and only what cannot grow is let
through: output, `if`, `for` over a given list, and a list of filters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _

from messaging.content.problems import Part, Problem

MAX_TAG_CHARACTERS = 1_000
MAX_TAGS = 2_000
MAX_DEPTH = 20
MAX_BRANCHES = 50
MAX_LOOP_CHARACTERS = 4_000

FILTERS = frozenset(
    [
        "abs",
        "capitalize",
        "count",
        "d",
        "default",
        "e",
        "escape",
        "first",
        "float",
        "int",
        "join",
        "last",
        "length",
        "lower",
        "round",
        "title",
        "trim",
        "truncate",
        "upper",
        "urlencode",
    ]
)
BELONGS_TO = {"elif": ("if",), "else": ("if", "for"), "endif": ("if",), "endfor": ("for",)}
STATEMENTS = frozenset(["if", "for", *BELONGS_TO])
TESTS = frozenset(["defined", "undefined", "none", "true", "false", "even", "odd", "in", "eq", "ne", "lt", "gt", "le", "ge"])
_WORDS = frozenset(["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"])
# What plain dictionaries, lists and strings would answer with a method instead of a value.
_METHODS = frozenset(name for kind in (dict, list, str, int) for name in dir(kind))

_STRING = r'"(?:\\.|[^"\\])*"|' + r"'(?:\\.|[^'\\])*'"
_TAG = re.compile(
    r"\{%[-+]?\s*raw\s*[-+]?%\}(?P<raw>.*?)\{%[-+]?\s*endraw\s*[-+]?%\}"
    r"|(?P<comment>\{#.*?#\})"
    # A brace inside a tag is refused anyway; leaving it out here keeps the search linear.
    rf"|(?P<output>\{{\{{(?:{_STRING}|[^\"'{{}}]|\}}(?!\}}))*\}}\}})"
    rf"|(?P<statement>\{{%(?:{_STRING}|[^\"'{{%]|%(?!\}}))*%\}})",
    re.DOTALL,
)
_RAW = re.compile(r"\{%[-+]?\s*raw\b")
_OPEN = re.compile(r"\{[{%#]")
_TOKEN = re.compile(
    rf"\s+|(?P<string>{_STRING})|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<operator>==|!=|<=|>=|//|\*\*|[-+*/%~<>|.,:()\[\]{}=])|(?P<other>.)",
    re.DOTALL,
)


def is_writable(name: str) -> bool:
    """Whether a value of this name can be reached with a dot."""
    return name.isidentifier() and not name.startswith("_") and name not in _METHODS


class Kind(StrEnum):
    """What a piece of a template is."""

    LITERAL = "literal"
    OUTPUT = "output"
    STATEMENT = "statement"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of literal text or one tag, with the line it starts on."""

    kind: Kind
    text: str
    line: int

    @property
    def inner(self) -> str:
        """The tag without its delimiters and whitespace control."""
        return self.text[2:-2].strip("-+").strip()

    @property
    def word(self) -> str:
        """The statement's name."""
        return self.inner.split(None, 1)[0] if self.inner else ""


@dataclass(frozen=True, slots=True)
class Token:
    """One lexical unit of an expression."""

    kind: str
    text: str
    start: int


def read_pieces(source: str) -> list[Piece]:
    """Cut a template into literals and tags; comments vanish, raw blocks become literals."""
    pieces: list[Piece] = []
    position = 0
    line = 1
    for match in _TAG.finditer(source):
        literal = source[position : match.start()]
        if literal:
            pieces.append(Piece(Kind.LITERAL, literal, line))
        line += literal.count("\n")
        if match["raw"]:
            pieces.append(Piece(Kind.LITERAL, match["raw"], line))
        elif match["output"]:
            pieces.append(Piece(Kind.OUTPUT, match[0], line))
        elif match["statement"]:
            pieces.append(Piece(Kind.STATEMENT, match[0], line))
        line += match[0].count("\n")
        position = match.end()
    if position < len(source):
        pieces.append(Piece(Kind.LITERAL, source[position:], line))
    return pieces


def protect(literal: str) -> str:
    """Literal text that the engine can never take for a tag, whatever it stands next to."""
    return re.sub(r"\{(?=[{%#]|\Z)", '{{ "{" }}', literal)


def read_tokens(expression: str) -> list[Token]:
    """The tokens of an expression, blanks left out."""
    return [Token(match.lastgroup, match[0], match.start()) for match in _TOKEN.finditer(expression) if match.lastgroup]


def check_grammar(source: str, part: Part) -> list[Problem]:
    """Everything in this template that is outside the permitted subset."""
    problems = list(_check_amount(source, part))
    if problems:
        return problems
    raw_free = _TAG.sub(lambda m: "\n" * m[0].count("\n"), source)
    stray = _OPEN.search(raw_free)
    if stray:
        line = raw_free.count("\n", 0, stray.start()) + 1
        text = _("The tag that starts here with “%(mark)s” is not closed.")
        problems.append(Problem("syntax", text % {"mark": stray[0]}, part, line))
    pieces = read_pieces(source)
    for piece in pieces:
        if piece.kind is Kind.LITERAL:
            continue
        problems.extend(_check_tag(piece, part))
    problems.extend(_check_nesting(pieces, part))
    problems.extend(_check_ends(pieces, part))
    return problems


def _check_amount(source: str, part: Part) -> Iterator[Problem]:
    """Looked at before anything is searched for: searching must not take long either."""
    if len(_OPEN.findall(source)) > MAX_TAGS:
        text = _("There are more than %(limit)s tags.") % {"limit": MAX_TAGS}
        yield Problem("too_many_tags", text, part)
    last_raw = max((match.start() for match in _RAW.finditer(source)), default=-1)
    for mark, start, end in (("{#", source.rfind("{#"), source.rfind("#}")), ("raw", last_raw, source.rfind("endraw"))):
        if start > end:
            text = _("The tag that starts here with “%(mark)s” is not closed.") % {"mark": mark}
            yield Problem("syntax", text, part, source.count("\n", 0, start) + 1)


def _check_tag(piece: Piece, part: Part) -> Iterator[Problem]:
    if len(piece.text) > MAX_TAG_CHARACTERS:
        text = _("This tag is longer than %(limit)s characters.") % {"limit": MAX_TAG_CHARACTERS}
        yield Problem("tag_too_long", text, part, piece.line)
        return
    if piece.kind is Kind.STATEMENT and piece.word not in STATEMENTS:
        text = _("“%(name)s” cannot be used in a message; “if” and “for” can.")
        yield Problem("statement", text % {"name": piece.word}, part, piece.line, piece.word)
        return
    yield from _check_expression(piece, part)


def _check_expression(piece: Piece, part: Part) -> Iterator[Problem]:
    tokens = read_tokens(piece.inner)
    joins = 0
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ""
        after = tokens[index + 1].text if index + 1 < len(tokens) else ""
        if token.kind == "name":
            yield from _check_name(token.text, before, after, piece, part)
            joins += token.text == "join" and before == "|"
        elif token.text in {"*", "**", "{", "}"} or token.kind == "other":
            text = _("“%(name)s” cannot be used in a message.") % {"name": token.text}
            yield Problem("operator", text, part, piece.line, token.text)
        elif token.text == "[" and index and _ends_value(tokens[index - 1]):
            text = _("Values are reached with a dot, not with brackets.")
            yield Problem("attribute", text, part, piece.line, before)
        elif token.text == "(" and index and tokens[index - 1].text == ")":
            text = _("Functions cannot be called in a message.")
            yield Problem("call", text, part, piece.line)
    if joins > 1:
        text = _("“join” can be used once in a tag.")
        yield Problem("filter", text, part, piece.line, "join")


def _check_name(name: str, before: str, after: str, piece: Piece, part: Part) -> Iterator[Problem]:
    if name.startswith("_") or (before == "." and name in _METHODS):
        text = _("“%(name)s” is no variable.") % {"name": name}
        yield Problem("attribute", text, part, piece.line, name)
    elif before == "|":
        if name not in FILTERS:
            text = _("There is no filter “%(name)s”.") % {"name": name}
            yield Problem("filter", text, part, piece.line, name)
    elif after == "(" and name not in _WORDS | STATEMENTS | TESTS:
        text = _("Functions cannot be called in a message.")
        yield Problem("call", text, part, piece.line, name)
    elif name == "recursive" and piece.word == "for":
        text = _("Loops cannot be recursive.")
        yield Problem("statement", text, part, piece.line, name)


def _ends_value(token: Token) -> bool:
    if token.kind == "name":
        return token.text not in _WORDS
    return token.kind == "string" or token.text in {")", "]"}


@dataclass(slots=True)
class _Open:
    word: str
    line: int
    branches: int = 0
    characters: int = 0


def _check_nesting(pieces: list[Piece], part: Part) -> Iterator[Problem]:
    """Too deep, too many branches, or loops around so much text that the output explodes."""
    stack: list[_Open] = []
    for piece in pieces:
        if piece.kind is not Kind.STATEMENT:
            for opened in stack:
                opened.characters += len(piece.text)
            continue
        if piece.word in {"if", "for"}:
            stack.append(_Open(piece.word, piece.line))
            if len(stack) == MAX_DEPTH + 1:
                text = _("Tags are nested deeper than %(limit)s.") % {"limit": MAX_DEPTH}
                yield Problem("too_deep", text, part, piece.line)
        elif piece.word == "elif" and stack:
            stack[-1].branches += 1
            if stack[-1].branches == MAX_BRANCHES + 1:
                text = _("More than %(limit)s branches.") % {"limit": MAX_BRANCHES}
                yield Problem("too_many_branches", text, part, piece.line)
        elif piece.word in {"endif", "endfor"} and stack:
            opened = stack.pop()
            if opened.word == "for" and opened.characters > MAX_LOOP_CHARACTERS:
                text = _("A loop may repeat at most %(limit)s characters.")
                message = text % {"limit": MAX_LOOP_CHARACTERS}
                yield Problem("loop_too_large", message, part, opened.line)


def _check_ends(pieces: list[Piece], part: Part) -> Iterator[Problem]:
    """What begins also ends, and nothing branches or ends that did not begin."""
    begun: list[Piece] = []
    for piece in pieces:
        if piece.kind is not Kind.STATEMENT or piece.word not in STATEMENTS:
            continue
        if piece.word not in BELONGS_TO:
            begun.append(piece)
        elif not begun or begun[-1].word not in BELONGS_TO[piece.word]:
            text = _("“%(tag)s” belongs to no “%(beginning)s” before it.")
            yield Problem("syntax", text % {"tag": piece.text, "beginning": BELONGS_TO[piece.word][0]}, part, piece.line)
            return
        elif piece.word.startswith("end"):
            begun.pop()
    for piece in begun:
        text = _("“%(tag)s” is never ended: “%(end)s” is missing.")
        yield Problem("syntax", text % {"tag": piece.text, "end": f"{{% end{piece.word} %}}"}, part, piece.line)
