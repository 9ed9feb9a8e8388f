"""Is a .tflite what it claims to be? Agreement with its source, partitions, half precision's range and the GPU engine, measured."""

import contextlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from conversion.calibration_images import synthetic_images
from conversion.engines.base import UNBOUNDED_HALO
from conversion.engines.colours import TOLERANCE, Colours
from conversion.engines.cpu import CpuEngine
from conversion.engines.values import LUMA, NOTHING_SAID, Said
from conversion.gpu.verify import GpuVerdict, verify_on_gpu
from conversion.measuring.agreement import measure_agreement
from conversion.measuring.inspection import Inspection, inspect_tflite
from conversion.npu.socs import Soc
from conversion.npu.verdict import NpuVerdict
from conversion.npu.verify import verify_on_npu
from conversion.recipes import RECIPES, Recipe, recipe_named
from conversion.source import ModelLike
from conversion.tflite.half_range import measure_half_range
from keras_models.system.errors import ConversionError, ModelError

REPORT_VERSION = 5


@dataclass(frozen=True)
class Verification:
    """What was measured on the built-in calibration images.

    Attributes:
        file: the .tflite.
        against: the model it was compared with, None if none was given.
        max_error: largest absolute difference to it (outputs clipped to [0, 1]) on the built-in image that comes nearest to what
            is allowed there, None if not compared.
        psnr: dB to it on built-in images that are as sharp as photographs can be, None if not compared.
        quantized: 8-bit or 16-bit integers are in it; such a file is judged by `psnr`, others by `max_error`.
        tolerance: what `max_error` may be at most on that image, or `psnr` at least. A network that amplifies rounding may differ
            by as much as the file's own result moves with its image's last bits (`conversion.measuring.agreement`).
        cpu_partitions: pieces that XNNPACK runs it in.
        half_max: largest intermediate, None for integer files.
        half_tensor: the tensor that reaches it.
        finite: no NaN or infinity in any output.
        range: smallest and largest output, as the file gives it.
        values: range and order of the channels that it takes and gives.
        flat_error: largest difference of a flat grey or colour that comes back, of white; infinite if none does.
        halo: real pixels around a tile that it needs, low-resolution pixels; None if its result depends on the whole image.
        stride: tiles start at multiples of it, low-resolution pixels.
        gpu: what the GPU engine did, None if it was not asked for.
        npu: what the NPU's emulation did, None if it was not asked for.
        problems: what is wrong, empty if nothing is.
        version: of this schema.
    """

    file: str
    against: str | None
    max_error: float | None
    psnr: float | None
    quantized: bool
    tolerance: float
    cpu_partitions: int
    half_max: float | None
    half_tensor: str | None
    finite: bool
    range: tuple[float, float]
    values: str
    flat_error: float
    halo: int | None
    stride: int
    gpu: GpuVerdict | None
    npu: NpuVerdict | None
    problems: tuple[str, ...]
    version: int = REPORT_VERSION

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_text(self) -> str:
        """The same for people."""
        half = "integer file" if self.half_max is None else f"{self.half_max:.4g} ({self.half_tensor})"
        compared = "not compared: no model to compare with was given"
        if self.max_error is not None:
            compared = f"{self.max_error:.2g}, {self.psnr:.1f} dB to {self.against}, {self._bound()}"
        lines = [
            f"{self.file}: {'ok' if not self.problems else 'FAILED'}",
            f"largest difference   {compared}",
            f"CPU partitions       {self.cpu_partitions}",
            f"largest intermediate {half}, half ends at 65504",
            f"output               {self.range[0]:.3f} to {self.range[1]:.3f}, {'finite' if self.finite else 'NOT FINITE'}",
            f"values               {self.values}; a flat colour comes back {self.flat_error:.3f} of white off",
            f"tiles                {self._tiles()}",
        ]
        if self.gpu is not None:
            lines.append(self.gpu.as_text())
        if self.npu is not None:
            lines.append(self.npu.as_text())
        return "\n".join([*lines, *(f"problem              {problem}" for problem in self.problems)])

    def _tiles(self) -> str:
        if self.halo is None:
            return "none: the result depends on the whole image, or on a pixel's place in it"
        return f"{self.halo} pixels around them, from multiples of {self.stride}"

    def _bound(self) -> str:
        return f"wanted {self.tolerance:g} dB or more" if self.quantized else f"allowed {self.tolerance:.2g}"


def verify_tflite(
    path: str | Path,
    against: ModelLike | None = None,
    threads: int | None = None,
    gpu: bool = False,
    photos: str | Path | None = None,
    values: str | None = None,
    order: str | None = None,
    npu: Sequence[Soc] = (),
) -> Verification:
    """Runs a file on the built-in images at its own tile size and compares.

    Args:
        path: the .tflite.
        against: any model of the same scale.
        threads: of the CPU engine.
        gpu: run the GPU engine too.
        photos: folder of photos for the tiles of the GPU engine and the NPU; without it dead leaves stand in.
        values: range that it is said to take, a name of `conversion.engines.values.RANGES`; None for RGB in 0..1, as files of
            this project do.
        order: of the channels that it is said to take, "rgb" or "bgr".
        npu: SoCs for whose NPU it is compiled and run in emulation.

    Raises:
        ModelError: the file or the model cannot be read, their scales differ, or the GPU engine or the NPU's emulation cannot run.

    Example:
        >>> import conversion, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     card = conversion.convert("lkdn-s-x4", f"{folder}/small.tflite", tile=(32, 32))
        ...     conversion.verify(f"{folder}/small.tflite", "lkdn-s-x4").problems
        ()
    """
    inspection, engine = inspect_tflite(path), CpuEngine(path, threads, said=Said(values, order))
    colours, view = engine.measured_colours, engine.view
    images = synthetic_images(*engine.tile)
    outputs = [engine.run(image[0]) for image in images]
    integers = {"int8", "uint8", "int16"} & {*inspection.dtypes, *inspection.weights_bytes}
    recipe = recipe_of(inspection)
    half = None if integers & {*inspection.dtypes} else measure_half_range(path, _as_taken(engine, images))
    agreement = None if against is None else measure_agreement(engine, against, recipe, images, outputs)
    finite = all(np.isfinite(y).all() for y in outputs)
    problems = []
    if not finite:
        problems.append("an output is not finite")
    problems += _wrong_colours(colours, engine.said)
    problems += agreement.problems(recipe) if agreement else []
    if half is not None and not half.safe:
        problems.append(f"{len(half.over)} intermediates leave half precision: NaN on a phone GPU")
    if inspection.cpu_partitions != 1 and not integers:  # some of TFLite's integer kernels have no XNNPACK form: slower, not wrong
        problems.append(f"XNNPACK splits it into {inspection.cpu_partitions} pieces")
    if inspection.max_rank > 4:
        problems.append(f"a tensor of rank {inspection.max_rank}: phone GPUs take 4")
    if gpu and (engine.channels != 3 or not colours.values.plain):
        raise ModelError(f"{path}: `gpu`: it takes other values than RGB in 0..1, in which the engines are compared: leave `gpu` out")
    on_gpu = verify_on_gpu(engine, photos) if gpu else None
    problems += on_gpu.problems() if on_gpu else []
    on_npu = verify_on_npu(engine, npu, photos) if npu else None
    problems += on_npu.problems if on_npu else []
    return Verification(
        file=str(path),
        against=agreement.against if agreement else None,
        max_error=agreement.max_error if agreement else None,
        psnr=agreement.psnr if agreement else None,
        quantized=recipe.psnr is not None,
        tolerance=recipe.psnr or (agreement.allowed if agreement else recipe.max_error) or 0.0,
        cpu_partitions=inspection.cpu_partitions,
        half_max=half.largest if half else None,
        half_tensor=half.tensor if half else None,
        finite=finite,
        range=(float(min(y.min() for y in outputs)), float(max(y.max() for y in outputs))),
        values=colours.values.as_text() if engine.channels == 3 else f"{colours.values.taken}, brightness alone",
        flat_error=colours.error,
        halo=None if view.halo >= UNBOUNDED_HALO else view.halo,
        stride=view.stride,
        gpu=on_gpu,
        npu=on_npu,
        problems=tuple(problems),
    )


def _wrong_colours(colours: Colours, said: Said) -> list[str]:
    """Why a file's pictures are not what they should be; other values than the contract's are no fault where they were said."""
    if colours.error > TOLERANCE:
        return [f"a flat colour comes back {colours.error:.2f} of white off in values of {colours.values.as_text()}"]
    found = [colours.wrong] if colours.wrong else []
    if not colours.values.plain and said == NOTHING_SAID and colours.note:
        found.append(f"it takes {colours.values.as_text()}, not RGB in 0..1: say `range` {colours.values.taken} wherever it is used")
    return found


def _as_taken(engine: CpuEngine, images: list[np.ndarray]) -> list[np.ndarray]:
    """Images as the file takes them."""
    colour = engine.colours.values
    return [colour.to_network(image if engine.channels == 3 else (image @ LUMA)[..., None]) for image in images]


def recipe_of(inspection: Inspection) -> Recipe:
    """The recipe whose bound a file is held to: its card's; of a foreign file the one whose weights and values it has."""
    card = inspection.card if isinstance(inspection.card, dict) else {}
    name = str(card.get("recipe", "")).split(",")[0]  # earlier versions added ", 12 tensors in float"
    with contextlib.suppress(ConversionError):
        return recipe_named(name)
    kinds = {*inspection.dtypes, *inspection.weights_bytes}
    if "int16" in inspection.dtypes:
        return RECIPES["int16x8"]
    if {"int8", "uint8"} & kinds:
        return RECIPES["int8" if {"int8", "uint8"} & {*inspection.dtypes} else "weight_only_int8"]
    return RECIPES["float16" if "float16" in inspection.weights_bytes else "float32"]
