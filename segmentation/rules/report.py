"""Collects what is wrong while rules are read, so that one answer names every fault."""

from typing import TypeVar

from segmentation.rules.problems import Problem

MAX_PROBLEMS = 50
T = TypeVar("T")


class Reader:
    """Keeps the problems found so far; reading goes on so that all of them are told at once.

    Args:
        is_stored: the rules were accepted before, so days that nobody may write any more are read as they are.
    """

    def __init__(self, *, is_stored: bool = False) -> None:
        self.is_stored = is_stored
        self.problems: list[Problem] = []

    def tell(self, path: str, code: str, message: str, **params: str | int) -> T | None:
        """Note a problem; gives ``None``, to be returned in place of the value that could not be read."""
        if len(self.problems) < MAX_PROBLEMS:
            told = {name: _writable(value) for name, value in params.items()}
            self.problems.append(Problem(str(_writable(path)), code, message, told))
        return None


def _writable(value: str | int) -> str | int:
    # A lone surrogate came in through an escape of JSON, and no answer could be encoded with it.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
