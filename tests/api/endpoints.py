"""Every operation of the API, found by walking its addresses."""

import re
from dataclasses import dataclass
from typing import Any

from accounts.permissions import Permission
from config.api import router


@dataclass(frozen=True)
class Endpoint:
    """A method at an address: what it needs and which parameters its path has."""

    method: str
    pattern: str
    viewset: Any
    action: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.pattern}"

    @property
    def permissions(self) -> tuple[Permission, ...]:
        needed = self.viewset.permissions.get(self.action, ())
        return (needed,) if isinstance(needed, Permission) else needed

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.pattern)

    @property
    def resource(self) -> str:
        return self.pattern.partition("/")[0]

    def path(self, ids: dict[str, int]) -> str:
        """The address, with ids by resource; ``pk`` is an id of the resource itself."""
        values = {name: ids[self.resource] if name == "pk" else ids[name] for name in self.parameters}
        return self.pattern.format(**values)


def endpoints() -> list[Endpoint]:
    found: list[Endpoint] = []
    for url in router.urls:
        plain = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", str(url.pattern)).lstrip("^").removesuffix("$").removesuffix("/?") + "/"
        view: Any = url.callback
        # Serving a GET adds HEAD to them.
        found += [Endpoint(method.upper(), plain, view.cls, action) for method, action in view.actions.items() if method != "head"]
    return found
