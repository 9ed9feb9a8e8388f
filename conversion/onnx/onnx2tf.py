"""The program onnx2tf, for a child process: it overwrites its input, changes global state, prints a lot."""

import runpy
import sys


def run(source: str, target: str) -> None:
    """Makes a SavedModel of an .onnx, both names in the working folder; ends the process if it cannot."""
    sys.argv = ["onnx2tf", "-i", source, "-o", target, "-n", "-nuo"]
    runpy.run_module("onnx2tf", run_name="__main__")
