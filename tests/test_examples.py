"""Every public name has an Example in its docstring, and it runs."""

import doctest
import importlib

import pytest

import conversion
import keras_models

NAMES = [(package.__name__, name) for package in (keras_models, conversion) for name in package.__all__]
DATA = {"PRESETS", "RECIPES"}


def examples(package, name):
    thing = getattr(importlib.import_module(package), name)
    return doctest.DocTestFinder(recurse=False).find(thing, name, globs={})


@pytest.mark.parametrize(("package", "name"), [pair for pair in NAMES if pair[1] not in DATA])
def test_example_runs(package, name):
    found = [test for test in examples(package, name) if test.examples]
    assert found, f"{package}.{name} has no Example"
    for test in found:
        said: list[str] = []
        result = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(test, out=said.append)
        assert result.attempted > 0 and result.failed == 0, "".join(said)


@pytest.mark.parametrize("package", [keras_models, conversion])
def test_package_example_runs(package):
    assert doctest.testmod(package).failed == 0 and package.__doc__.count(">>>") >= 2


def test_a_wrong_example_fails():
    """Control."""
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner().run(test, out=lambda text: None).failed == 1


@pytest.mark.parametrize("package", ["keras_models", "conversion"])
def test_importing_a_package_imports_nothing_heavy(package):
    import subprocess
    import sys

    heavy = ("numpy", "keras", "tensorflow", "onnx", "PIL")
    code = f"import sys, {package}; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
