"""The socket for template variables: what a message may say about its recipient.

A floor above messaging plugs its own namespace in with `register` (see docs); one load per
namespace and chunk of recipients reads what the message uses, never one query per recipient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

from accounts.tenancy import current_organization_id

RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class Variable:
    """One value of a namespace; `always` says that no recipient lacks it."""

    name: str
    label: str | Promise
    sample: Any
    always: bool = False


@dataclass(frozen=True, slots=True)
class Loading:
    """What a namespace is asked for: these names of these customers, as read in this language."""

    customer_ids: Sequence[int]
    names: frozenset[str]
    language: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Namespace:
    """A family of variables under one key, such as `customer`.

    `variables` lists them for the current organization. `load` answers with one plain dictionary
    per customer, absent values left out, so that a template's fallback takes their place.
    """

    key: str
    label: str | Promise
    variables: Callable[[], Sequence[Variable]]
    load: Callable[[Loading], Mapping[int, dict[str, Any]]]


class MadeOnDemand(Mapping[int, dict[str, Any]]):
    """Dictionaries by customer, each made from its row when it is asked for.

    Those of a whole chunk, made at once, would wait in memory that is cold by the time their messages are rendered.
    """

    def __init__(self, rows: Mapping[int, Any], make: Callable[[int, Any], dict[str, Any]]) -> None:
        self._rows = rows
        self._make = make

    def __getitem__(self, customer_id: int) -> dict[str, Any]:
        return self._make(customer_id, self._rows[customer_id])

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


_namespaces: dict[str, Namespace] = {}


def register(namespace: Namespace) -> None:
    """Plug a namespace in; the same key twice is a mistake in the code."""
    if namespace.key in _namespaces or namespace.key == RECIPIENT:
        raise ValueError(f"there is a namespace {namespace.key!r} already")
    _namespaces[namespace.key] = namespace


def namespaces() -> Sequence[Namespace]:
    """All namespaces in the order they were plugged in."""
    return tuple(_namespaces.values())


def known_variables() -> dict[str, Variable]:
    """Every variable of the current organization by its dotted name."""
    current_organization_id()
    known = {f"{RECIPIENT}.address": Variable("address", "", "sample@example.org", always=True)}
    for namespace in namespaces():
        for variable in namespace.variables():
            known[f"{namespace.key}.{variable.name}"] = variable
    return known


def load_contexts(*, customer_ids: Sequence[int], names: Iterable[str], language: str, now: datetime) -> Mapping[int, dict[str, Any]]:
    """A render context for each customer, with `recipient.name` in it; the caller adds the address.

    `names` are the dotted names that the message uses (CompiledMessage.variables). A customer who
    is gone has none.
    """
    wanted: dict[str, set[str]] = {"customer": {"name"}}
    for name in names:
        namespace, _dot, rest = name.partition(".")
        wanted.setdefault(namespace, set()).add(rest)
    loaded = {
        key: _namespaces[key].load(Loading(customer_ids, frozenset(rest), language, now))
        for key, rest in wanted.items()
        if key in _namespaces
    }
    customers = loaded.pop("customer")

    def context(customer_id: int, customer: dict[str, Any]) -> dict[str, Any]:
        values = {"customer": customer, RECIPIENT: {"name": customer.get("name", "")}}
        for key, found in loaded.items():
            values[key] = found.get(customer_id, {})
        return values

    return MadeOnDemand(customers, context)
