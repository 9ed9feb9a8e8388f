"""The program onnx2tf, run by a child process: it overwrites its input, changes global state at import and prints hundreds of lines."""

import runpy
import sys


def run(source: str, target: str) -> None:
    """Makes a SavedModel of an .onnx of static shape; both are names in the working folder. It ends the process if it cannot."""
    sys.argv = ["onnx2tf", "-i", source, "-o", target, "-n", "-nuo"]
    runpy.run_module("onnx2tf", run_name="__main__")
