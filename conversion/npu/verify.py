"""Does a file give the right picture on a Snapdragon's NPU? Compiled, run in Qualcomm's emulation, and compared with the CPU."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np

from conversion.engines.values import through
from conversion.npu.card import is_compiled, soc_of
from conversion.npu.compiling import compile_for
from conversion.npu.context import read_context, write_context_onnx
from conversion.npu.emulator import TIME_LIMIT_S, emulated
from conversion.npu.package import npu_package
from conversion.npu.socs import DEFAULT_SOC, SOCS, Soc
from conversion.npu.tiles import Tile, made_up_tiles, photo_tiles
from conversion.npu.verdict import FLOAT_PSNR, INTEGER_PSNR, WIDE_PSNR, NpuCheck, NpuVerdict, Run, compare
from conversion.tflite.file import read_tflite
from keras_models.system.errors import ModelError

if TYPE_CHECKING:
    import conversion.engines.cpu
    import conversion.engines.onnx_engine

PlainEngine = Union["conversion.engines.cpu.CpuEngine", "conversion.engines.onnx_engine.OnnxEngine"]
"""A plain file on the CPU."""


def verify_on_npu(
    engine: PlainEngine, socs: Sequence[Soc], photos: str | Path | None = None, every: bool = False, time_limit_s: float = TIME_LIMIT_S
) -> NpuVerdict:
    """Compiles a file for each SoC and compares the emulation with the CPU's result of the same file.

    Args:
        engine: the plain file on the CPU.
        socs: for which.
        photos: folder to take tiles from; without it two of dead leaves.
        every: every tile of every photo, instead of four.
        time_limit_s: seconds, for compiling and for each tile.

    Raises:
        ModelError: the extra `npu` is missing, a crash or the time limit.
        ConversionError: the file is not wholly for one of the NPUs.
        ImageError: no photo in the folder that is large enough.
    """
    npu_package()
    tiles, checks = _tiles(engine, photos, every), []
    for soc in socs:
        with tempfile.TemporaryDirectory(prefix="mobile-sr-npu-") as folder:
            compiled = Path(folder) / f"{soc.name}{engine.path.suffix}"
            operations = compile_for(engine.path, soc, compiled, time_limit_s)
            checks.append(_check(engine, compiled, soc, operations, tiles, time_limit_s))
    return NpuVerdict(str(engine.path), tuple(checks))


def verify_file(path: Path, against: str | None, socs: Sequence[Soc], photos: str | Path | None = None) -> NpuVerdict:
    """An .onnx, or a file that is compiled already, which names its SoC and needs the plain file beside it as `against`.

    Raises:
        ModelError: what is not needed was given, or what is was not; as `verify_on_npu`.
    """
    if not is_compiled(path):
        if against is not None:
            raise ModelError(f"`against`: {path} is compared with its own result on the CPU: leave it out")
        return verify_on_npu(engine_of(path), socs or (SOCS[DEFAULT_SOC],), photos)
    if against is None:
        raise ModelError(f"{path}: compiled for an NPU: say with `against` which plain file it was made of")
    if socs:
        raise ModelError(f"`soc`: {path} is compiled for one: leave it out")
    return verify_compiled(path, engine_of(Path(against)), photos)


def engine_of(path: Path) -> PlainEngine:
    """What runs a plain file on the CPU: LiteRT, or onnxruntime for an .onnx."""
    from conversion.engines.cpu import CpuEngine
    from conversion.engines.onnx_engine import OnnxEngine

    return OnnxEngine(path) if path.suffix.lower() == ".onnx" else CpuEngine(path)


def verify_compiled(compiled: Path, engine: PlainEngine, photos: str | Path | None = None) -> NpuVerdict:
    """As `verify_on_npu`, of a file that is compiled already: it runs as it is, for the SoC that its card names.

    Args:
        compiled: the file.
        engine: the plain file that it was made of, on the CPU.
        photos: as above.

    Raises:
        ModelError: made of another file, or by another version of Qualcomm's compiler; as above.
    """
    soc = soc_of(compiled, engine.path)
    npu_package()
    return NpuVerdict(str(compiled), (_check(engine, compiled, soc, None, _tiles(engine, photos), TIME_LIMIT_S),))


def _tiles(engine: PlainEngine, photos: str | Path | None, every: bool = False) -> list[Tile]:
    return made_up_tiles(engine.tile) if photos is None else photo_tiles(photos, engine.tile, engine.scale, every)


def _check(engine: PlainEngine, compiled: Path, soc: Soc, operations: int | None, tiles: Sequence[Tile], time_limit_s: float) -> NpuCheck:
    with npu_run(engine, compiled, soc, time_limit_s) as run:
        compared = compare(tiles, engine.run, run)
    return NpuCheck(soc.name, soc.arch, operations, compiled.stat().st_size, needed_psnr(engine.path), compared)


@contextlib.contextmanager
def npu_run(engine: PlainEngine, compiled: Path, soc: Soc, time_limit_s: float = TIME_LIMIT_S) -> Iterator[Run]:
    """A compiled file as a function of a window, in the emulation.

    Args:
        engine: the plain file's, whose numbers and values are the compiled one's.
        compiled: made of it.
        soc: for which.
        time_limit_s: seconds, for each tile.
    """
    with tempfile.TemporaryDirectory(prefix="mobile-sr-npu-") as folder:
        wrapped = Path(folder) / "context.onnx"
        if compiled.suffix.lower() == ".onnx":
            shutil.copyfile(compiled, wrapped)
        else:
            write_context_onnx(read_context(compiled), wrapped)
        with emulated(wrapped, soc, compiled.name, time_limit_s) as emulate:

            def infer(window: np.ndarray) -> np.ndarray:
                return engine.from_tensor(emulate(engine.to_tensor(window)[None])[0])

            yield lambda window: through(engine.colours.values, engine.channels, engine.scale, window, infer)


def needed_psnr(path: Path) -> float:
    """How many dB to the CPU a file must have: by the arithmetic that it asks for."""
    if path.suffix.lower() != ".onnx":
        computed = {tensor.dtype for tensor in read_tflite(path).tensors if not tensor.constant}
        return INTEGER_PSNR if computed & {"int8", "uint8"} else FLOAT_PSNR
    from onnx import TensorProto

    from conversion.onnx.load import read_onnx

    graph = read_onnx(path).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    rounded = {kinds.get(node.input[2]) for node in graph.node if node.op_type == "QuantizeLinear" and len(node.input) > 2}
    if not rounded:
        return FLOAT_PSNR
    return INTEGER_PSNR if rounded & {TensorProto.INT8, TensorProto.UINT8} else WIDE_PSNR
