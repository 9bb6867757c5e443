"""Small rewrites that make the strict engine do what an author means."""

from __future__ import annotations

from collections.abc import Sequence

from messaging.content.grammar import Kind, Piece, Token, read_tokens

_WORDS = frozenset(["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"])


def soften_conditions(piece: Piece) -> str:
    """The tag with absent values in its conditions read as none.

    Printing a value that is absent stops a recipient's message, on purpose; asking whether it
    is there must not. The engine's strict mode treats both alike.
    """
    inner = piece.inner
    tokens = read_tokens(inner)
    inserts: list[tuple[int, str]] = []
    zone = piece.kind is Kind.STATEMENT and piece.word in {"if", "elif"}
    looping = piece.kind is Kind.STATEMENT and piece.word == "for"
    index = 1 if piece.kind is Kind.STATEMENT else 0
    while index < len(tokens):
        token = tokens[index]
        if token.text in {"if", "else"} and token.kind == "name":
            zone = token.text == "if"
        end = _path_end(tokens, index)
        if end is None:
            index += 1
            continue
        after = tokens[end].text if end < len(tokens) else ""
        before = tokens[index - 1].text if index else ""
        last = tokens[end - 1]
        if after not in {"|", "is", "("} and before not in {"|", "is"}:
            if looping and before == "in" and not zone:
                inserts.append((last.start + len(last.text), "|default([])"))
            elif zone or before == "not" or after in {"and", "or"}:
                inserts.append((last.start + len(last.text), "|default(none)"))
        index = end
    return _rebuild(piece, inner, inserts)


def _path_end(tokens: Sequence[Token], index: int) -> int | None:
    token = tokens[index]
    if token.kind != "name" or token.text in _WORDS:
        return None
    end = index + 1
    while end + 1 < len(tokens) and tokens[end].text == "." and tokens[end + 1].kind == "name":
        end += 2
    return end


def _rebuild(piece: Piece, inner: str, inserts: list[tuple[int, str]]) -> str:
    if not inserts:
        return piece.text
    for position, text in reversed(inserts):
        inner = inner[:position] + text + inner[position:]
    opening, closing = piece.text[:2], piece.text[-2:]
    left = piece.text[2] if piece.text[2] in "-+" else ""
    right = piece.text[-3] if piece.text[-3] in "-+" else ""
    return f"{opening}{left} {inner} {right}{closing}"


def encode_in_address(piece: Piece) -> str:
    """An output tag inside a link's address, percent-encoded so that data stays data.

    Without it a customer's value could add a parameter to the address or change its host.
    """
    tokens = read_tokens(piece.inner)
    if any(token.text == "urlencode" for token in tokens):
        return piece.text
    return "{{ (" + piece.inner + ")|string|urlencode }}"
