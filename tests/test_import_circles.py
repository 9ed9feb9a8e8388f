"""No module of the packages needs, while it is imported, one that needs it: circles by late imports are listed and no more."""

import ast
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

import conversion
import keras_models

ROOTS = [Path(package.__file__).parent for package in (keras_models, conversion)]
LATE = {
    ("keras_models.base", "keras_models.checkpoints.loading"),  # from_preset
    ("keras_models.registry", "keras_models.base"),  # networks(): Keras is imported only then
    ("conversion.graph.ir", "conversion.graph.ops"),  # Graph.run
    ("conversion.source", "conversion.engines.predictor"),  # ModelSource.predictor
    ("conversion.source", "conversion.engines.tflite_cache"),  # ModelSource.tflite
    ("conversion.convert_model", "conversion.onnx.route"),  # convert takes an .onnx
    ("conversion.engines.proof", "conversion.engines.whole_image"),
    ("conversion.measuring.benchmark.host", "conversion.measuring.benchmark.gpu"),
    ("conversion.commands.flags", "conversion.commands"),  # which options there are
}
"""(importer, imported) whose import stands in a function, and that would close a circle otherwise."""


def modules():
    """Name -> path."""
    found = {}
    for root in ROOTS:
        for path in root.rglob("*.py"):
            parts = path.relative_to(root.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path, names, late):
    """The modules that a file imports at its top, or anywhere with `late`; what only a type checker reads is left out."""
    tree = ast.parse(path.read_text())
    checked = [n for n in tree.body if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    skipped = {id(n) for block in checked for n in ast.walk(block)}
    for node in ast.walk(tree) if late else tree.body:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), "") if node.level else node.module
            yield from (f"{base}.{alias.name}" if f"{base}.{alias.name}" in names else base for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def circle(late):
    """The names of a circle, None without one."""
    found = modules()
    graph = {name: {i for i in imported(path, found, late) if i in found and i != name} for name, path in found.items()}
    if late:
        graph = {name: {i for i in needs if (name, i) not in LATE} for name, needs in graph.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


@pytest.mark.parametrize("late", [False, True], ids=["while importing", "in functions too"])
def test_no_circle(late):
    assert circle(late) is None


def test_a_circle_would_be_seen(monkeypatch):
    monkeypatch.setattr("tests.test_import_circles.LATE" if __name__.startswith("tests.") else f"{__name__}.LATE", set())
    assert circle(late=True) is not None
