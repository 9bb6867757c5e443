"""The template engine with everything taken out that a message does not need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from minijinja import Environment, TemplateError

from messaging.content.grammar import FILTERS
from messaging.content.problems import Part, Problem, RenderError

_BUILT_IN_FILTERS = """attr batch bool chain dictsort filesizeformat format groupby indent items keys lines list
    lstrip map max min pluralize pprint reject rejectattr replace reverse rstrip safe select
    selectattr slice sort split striptags sum tojson unique values wordcount wordwrap xmlattr
    zip""".split()  # noqa: SIM905 - forty quoted lines say no more
_BUILT_IN_GLOBALS = ("cycler", "debug", "dict", "joiner", "namespace", "range")
LOOP_FUEL = 20_000
FUEL_PER_TAG = 60


def build_environment(tags: int, filters: Mapping[str, Callable[..., Any]]) -> Environment:
    """A fresh engine: strict, no methods, no loader, bounded work."""
    environment = Environment(
        undefined_behavior="strict",
        fuel=LOOP_FUEL + FUEL_PER_TAG * tags,
        pycompat=False,
        keep_trailing_newline=True,
        # Escaping is switched on around the HTML part; the engine wants False, not "none".
        auto_escape_callback=lambda name: False,
    )
    for name in _BUILT_IN_FILTERS:
        environment.remove_filter(name)
    for name in _BUILT_IN_GLOBALS:
        environment.remove_global(name)
    for name, function in filters.items():
        environment.add_filter(name, function)
    return environment


def variables_in(source: str) -> set[str]:
    """The dotted names that a (syntactically right) template reads from its context."""
    return Environment(pycompat=False).undeclared_variables_in_str(source, nested=True)


def syntax_problem(source: str, part: Part) -> Problem | None:
    """What the engine itself says about the source, or None."""
    try:
        build_environment(0, {}).add_template("part", source)
    except TemplateError as error:
        text = _("A tag here cannot be read: %(detail)s") % {"detail": error.detail or error.message}
        return Problem("syntax", text, part, error.line)
    return None


def render_problem(error: TemplateError) -> RenderError:
    """The engine's error as a reason for the ledger."""
    reasons = {"UndefinedError": "missing_value", "OutOfFuel": "template_too_slow"}
    return RenderError(reasons.get(error.kind, "template_error"), error.detail or error.message)


def permitted_filters() -> frozenset[str]:
    """The names of the filters that authors may use, for help texts."""
    return FILTERS
