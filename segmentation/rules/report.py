"""Collects what is wrong while rules are read, so that one answer names every fault."""

from typing import Any

from segmentation.rules.problems import Problem

MAX_PROBLEMS = 50


class Reader:
    """Keeps the problems found so far; reading goes on so that all of them are told at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def tell(self, path: str, code: str, message: str, **params: str | int) -> Any:
        """Note a problem; gives ``None``, to be returned in place of the value that could not be read."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(path, code, message, params))
