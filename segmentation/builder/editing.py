"""Adding and taking away: what the buttons of the builder do to rules."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from segmentation.builder.reading import ROOT, Rules, new_condition
from segmentation.rules.parsing import MAX_DEPTH, MAX_FILTERS
from segmentation.words import Words

MODES = ("all", "any", "none")


def edited(rules: Rules, command: str, words: Words) -> tuple[Rules, str]:
    """The rules after a command such as ``condition:r-0``, and the node that is worked on next.

    Commands: ``condition``, ``group`` (add to a group), ``filter`` (add to an event), ``remove`` (a node or a filter).
    What a command cannot be done to stays as it is.
    """
    verb, _colon, place = command.partition(":")
    changed = deepcopy(rules)
    node_name, dot, filter_number = place.partition(".f")
    steps = node_name.split("-")[1:]
    if node_name.split("-")[0] != ROOT or not all(step.isdecimal() for step in steps):
        return changed, ""
    path = [int(step) for step in steps]
    node = _find(changed, path)
    if node is None:
        return changed, ""
    match verb:
        case "condition" if _children(node) is not None:
            return changed, _add(node, new_condition(), node_name)
        case "group" if _children(node) is not None and len(path) + 2 <= MAX_DEPTH:
            return changed, _add(node, {"any": [new_condition()]}, node_name)
        case "filter" if "event" in node and len(node.get("where", [])) < MAX_FILTERS:
            node.setdefault("where", []).append(_new_filter(node["event"], words))
            return changed, f"{node_name}.f{len(node['where']) - 1}"
        case "remove" if filter_number.isdecimal():
            return changed, _remove_filter(node, int(filter_number), node_name)
        case "remove" if path and not dot:
            return changed, _remove(changed, path, node_name)
    return changed, ""


def _find(rules: Rules, path: list[int]) -> Rules | None:
    node = rules
    for index in path:
        children = _children(node)
        if children is None or index >= len(children):
            return None
        node = children[index]
    return node


def _children(node: Rules) -> list[Any] | None:
    return next((node[mode] for mode in MODES if mode in node), None)


def _add(node: Rules, child: Rules, name: str) -> str:
    children = _children(node)
    assert children is not None
    children.append(child)
    return f"{name}-{len(children) - 1}"


def _new_filter(kind: str, words: Words) -> Rules:
    event = words.event(kind)
    return {"property": event.properties[0].key if event and event.properties else "", "op": "is", "value": None}


def _remove_filter(node: Rules, index: int, name: str) -> str:
    filters = node.get("where", [])
    if index < len(filters):
        del filters[index]
    if not filters:
        node.pop("where", None)
    return name


def _remove(rules: Rules, path: list[int], name: str) -> str:
    """Take a node away; a group that holds nothing more goes with it, but the root keeps one condition."""
    parent = _find(rules, path[:-1])
    children = _children(parent) if parent is not None else None
    assert children is not None
    del children[path[-1]]
    above = name.rpartition("-")[0]
    if children:
        return above
    if len(path) > 1:
        return _remove(rules, path[:-1], above)
    children.append(new_condition())
    return f"{above}-0"
