"""Words are put into a language when somebody reads them, never when a module is loaded: that would be everybody's English."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "analytics", "campaigns", "config", "crm", "loyalty", "messaging", "segmentation")
AT_ONCE = {"gettext", "ngettext", "pgettext", "npgettext"}


def _translators(tree: ast.Module) -> tuple[set[str], set[str]]:
    """How the module calls what translates at once, and what translates later."""
    names = [
        (alias.name, alias.asname or alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
    ]
    return {name for real, name in names if real in AT_ONCE}, {
        name for real, name in names if real.removesuffix("_lazy") in AT_ONCE - {real}
    }


def _while_loading(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is loaded: everything but the bodies of functions."""
    if isinstance(node, ast.Lambda):
        return
    yield node
    parts: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        parts = [*node.decorator_list, node.args]
    for part in parts:
        yield from _while_loading(part)


def _calls(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _too_early(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_once, later = _translators(tree)
    for node in _while_loading(tree):
        filled = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and _calls(node.left, later)
        if filled or _calls(node, at_once):
            yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def test_no_words_are_translated_while_a_module_is_loaded() -> None:
    files = [path for app in APPS for path in sorted((ROOT / app).rglob("*.py"))]
    assert len(files) > 300
    assert [place for path in files for place in _too_early(path)] == []
