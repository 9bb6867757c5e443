"""Every address of the product, taken from the URL tree."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

# An id that no row has unless a test makes it.
ID = 900_001


@dataclass(frozen=True)
class Address:
    """One address: its name with namespaces, a path in which every argument is ``ID``, and its view."""

    name: str
    path: str
    view: Callable[..., Any]
    takes_arguments: bool

    @property
    def permission(self) -> Any:
        return getattr(self.view, "required_permission", None)

    @property
    def in_admin(self) -> bool:
        return self.name.startswith("admin:")

    @property
    def in_api(self) -> bool:
        return self.path.startswith("/api/")


def addresses() -> list[Address]:
    """All of them, each once."""
    found = {address.path: address for address in _walk(get_resolver(), "", "")}
    return list(found.values())


def _walk(resolver: URLResolver, prefix: str, namespace: str) -> Iterator[Address]:
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern, path, inner)
        elif isinstance(pattern, URLPattern) and pattern.callback is not None:
            yield Address(f"{namespace}{pattern.name or ''}", _filled(path), pattern.callback, "<" in path)


def _filled(path: str) -> str:
    path = re.sub(r"\(\?P<\w+>[^()]*\)", str(ID), path)
    path = re.sub(r"<(?:\w+:)?\w+>", str(ID), path)
    return "/" + path.replace("^", "").replace("/?$", "/").replace("$", "").replace("\\Z", "")
