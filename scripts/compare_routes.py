"""The Keras route, onnx2tf as it comes, and onnx2tf behind this project's rewrites, on the same weights: a table in Markdown.

python scripts/compare_routes.py MODEL [MODEL.onnx] [--tile 64x64] [--rounds 200]

MODEL is what the Keras route converts; the .onnx must hold the same weights, and is exported from MODEL if it is left out.
Error is the largest difference to onnxruntime on the untouched .onnx, clipped to [0, 1]. Times are of one thread, the
files taking turns in every round, after warm-up.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from interleaved import interleaved
from script import run

from keras_models.system.quiet import import_keras, silenced


def main(
    model: str,
    onnx: Annotated[Path | None, typer.Argument()] = None,
    tile: str = "64x64",
    rounds: Annotated[int, typer.Option(min=1)] = 200,
) -> None:
    """Prints one row a route; a route that fails says why."""
    import_keras()
    from conversion.commands.options import parse_size

    size = parse_size(tile)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, failures = convert_all(model, onnx, size, folder)
        times = measure(files, size, rounds)
        errors = {route: difference(path, folder / "source.onnx", size) for route, path in files.items() if route in times}
        sys.stdout.write("| route | ops | rank | CPU partitions | bytes | ms, minimum / median | to Keras | error |\n" + "|---" * 8 + "|\n")
        for route in ROUTES:
            if route in failures:
                sys.stdout.write(f"| {route} | fails: {failures[route]} |||||||\n")
            else:
                sys.stdout.write(row(route, files[route], times, errors) + "\n")


ROUTES = ("Keras", "onnx2tf as it comes", "onnx2tf after the rewrites")


def convert_all(model: str, source: Path | None, tile: tuple[int, int], folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The files of the routes that work, and the reasons of those that do not; the .onnx is left in the folder."""
    from conversion.convert_model import convert
    from conversion.onnx.export import export_onnx
    from conversion.onnx.route import convert_onnx
    from keras_models.system.errors import MobileSRError

    onnx_file = folder / "source.onnx"
    if source is None:
        export_onnx(model, onnx_file)
    else:
        onnx_file.write_bytes(Path(source).read_bytes())
    jobs = {
        "Keras": lambda target: convert(model, target, tile=tile),
        "onnx2tf as it comes": lambda target: target.write_bytes(plain_onnx2tf(onnx_file, tile, folder).read_bytes()),
        "onnx2tf after the rewrites": lambda target: convert_onnx(onnx_file, target, tile=tile),
    }
    files, failures = {}, {}
    for number, route in enumerate(ROUTES):
        try:
            jobs[route](folder / f"{number}.tflite")
            files[route] = folder / f"{number}.tflite"
        except MobileSRError as error:
            failures[route] = " ".join(str(error).split())[:200].replace("|", "/")
    return files, failures


def plain_onnx2tf(onnx_file: Path, tile: tuple[int, int], folder: Path) -> Path:
    """What onnx2tf itself writes for the file with nothing but its input's size fixed."""
    import onnx

    from conversion.onnx.route import saved_model

    model = onnx.load(onnx_file)
    for dim, side in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, *tile)):
        dim.Clear()
        dim.dim_value = side
    del model.graph.value_info[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    work = folder / "plain"
    work.mkdir()
    onnx.save(model, work / "plain.onnx")
    return saved_model(work / "plain.onnx", onnx_file) / "plain_float32.tflite"


def measure(files: dict[str, Path], tile: tuple[int, int], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every round of the files that run at all."""
    from ai_edge_litert.interpreter import Interpreter

    image = np.random.default_rng(0).random((1, *tile, 3), np.float32)
    ready = {}
    for route, path in files.items():
        try:
            with silenced():
                interpreter = Interpreter(str(path), num_threads=1)
                interpreter.allocate_tensors()
                interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
                interpreter.invoke()
        except (RuntimeError, ValueError):
            continue  # Flex operations: the row says "does not run"
        ready[route] = interpreter
    return interleaved({route: interpreter.invoke for route, interpreter in ready.items()}, rounds)


def difference(path: Path, onnx_file: Path, tile: tuple[int, int]) -> float:
    """Largest difference to onnxruntime on the untouched .onnx, over the built-in images."""
    from conversion.calibration_images import synthetic_images
    from conversion.engines.cpu import CpuEngine
    from conversion.onnx.rescaling import open_session

    session, engine = open_session(str(onnx_file)), CpuEngine(path, 1)
    feed, largest = session.get_inputs()[0].name, 0.0
    for image in synthetic_images(*tile):
        expected = session.run(None, {feed: np.ascontiguousarray(image.transpose(0, 3, 1, 2))})[0][0].transpose(1, 2, 0)
        largest = max(largest, float(np.abs(engine.run(image[0]).clip(0, 1) - expected.clip(0, 1)).max()))
    return largest


def row(route: str, path: Path, times: dict[str, list[float]], errors: dict[str, float]) -> str:
    """One line of the table."""
    from conversion.tflite.file import read_tflite
    from conversion.tflite.partitions import cpu_partitions

    file = read_tflite(path)
    flex = sum(operation.name.startswith("CUSTOM:Flex") for operation in file.operations)
    operations = f"{len(file.operations)}" + (f", {flex} Flex" if flex else "")
    shape = f"| {route} | {operations} | {max(len(t.shape) for t in file.tensors)} "
    if route not in times:
        return f"{shape}| - | {file.size:,} | does not run | - | - |"
    least, base = min(times[route]), min(times.get("Keras", [float("nan")]))
    timing = f"{least:.1f} / {statistics.median(times[route]):.1f} | {least / base:.2f}"
    return f"{shape}| {cpu_partitions(path)} | {file.size:,} | {timing} | {errors[route]:.1e} |"


if __name__ == "__main__":
    run(main, __doc__)
