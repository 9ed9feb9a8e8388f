"""A model card as something to lay out: text, lists of named entries, tables. Cards are foreign: any JSON goes, nothing is trusted."""

import json
from dataclasses import dataclass
from typing import Any

DEPTH = 5
_LONGEST = 4000


@dataclass(frozen=True)
class Node:
    """One value; what does not apply is empty.

    Attributes:
        text: a plain value.
        entries: (name, value) of an object.
        headings: of a table.
        rows: of a table, one value a heading.
    """

    text: str = ""
    entries: tuple[tuple[str, "Node"], ...] = ()
    headings: tuple[str, ...] = ()
    rows: tuple[tuple["Node", ...], ...] = ()


def card_tree(value: Any, depth: int = DEPTH) -> Node:
    """Any JSON value; what is nested deeper than `depth` becomes its JSON."""
    if depth and isinstance(value, dict) and value:
        return Node(entries=tuple((_name(key), card_tree(entry, depth - 1)) for key, entry in value.items()))
    if depth and isinstance(value, list | tuple) and value:
        if all(isinstance(entry, dict) and entry for entry in value):
            return _table(list(value), depth)
        if not any(isinstance(entry, dict | list | tuple) for entry in value):
            return Node(text=_cut(", ".join(_plain(entry) for entry in value)))
    return Node(text=_cut(_plain(value)))


def _table(objects: list[dict], depth: int) -> Node:
    keys = list(dict.fromkeys(key for entry in objects for key in entry))
    rows = tuple(tuple(card_tree(entry.get(key), depth - 1) for key in keys) for entry in objects)
    return Node(headings=tuple(map(_name, keys)), rows=rows)


def _plain(value: Any) -> str:
    if value is None or value == [] or value == {} or value == ():
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _name(key: Any) -> str:
    return _cut(str(key).replace("_", " "))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
