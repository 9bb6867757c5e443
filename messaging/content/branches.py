"""Which tags of a template are printed for everybody, whatever its conditions come to."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from messaging.content.grammar import Kind, read_pieces
from messaging.content.links import OWN_ADDRESSES

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_ALWAYS_TRUE = {f"if {name}" for name in OWN_ADDRESSES}


@dataclass(slots=True)
class _Open:
    """An `if` or `for`; `is_complete` once one of its branches is sure to be taken."""

    is_complete: bool
    in_all_before: bool = True
    in_this: bool = False

    @property
    def surely_prints(self) -> bool:
        return self.is_complete and self.in_all_before and self.in_this


def surely_prints(source: str, tags: Collection[str]) -> bool:
    """Whether one of these output tags is printed for every recipient: not in some branches alone."""
    stack = [_Open(is_complete=True)]
    for piece in read_pieces(source):
        if piece.kind is Kind.OUTPUT and piece.inner in tags:
            stack[-1].in_this = True
        elif piece.kind is not Kind.STATEMENT:
            continue
        elif piece.word in {"if", "for"}:
            stack.append(_Open(is_complete=" ".join(piece.inner.split()) in _ALWAYS_TRUE))
        elif piece.word in {"elif", "else"}:
            stack[-1].in_all_before &= stack[-1].in_this
            stack[-1].in_this = False
            stack[-1].is_complete |= piece.word == "else"
        elif stack.pop().surely_prints:
            stack[-1].in_this = True
    return stack[0].in_this


def without_comments(document: str) -> str:
    """The HTML without what readers never show."""
    return _COMMENT.sub("", document)
