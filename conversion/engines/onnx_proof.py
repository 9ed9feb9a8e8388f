"""An .onnx is read and run in a process of its own first; what was learned there is all that its engine needs to know."""

import functools
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conversion.engines.base import WHOLE_MEMORY
from conversion.engines.facts import keep, place_of, recall
from keras_models.system.errors import ModelError, one_line
from keras_models.system.sandbox import Limits, isolated

if TYPE_CHECKING:
    import onnx
    import onnxruntime

PRELOADED = ("onnxruntime", "conversion.onnx.load")
"""For `prove_here`, see `keras_models.system.sandbox`."""

PROOF_VERSION = 2
"""Goes up whenever what is checked or learned changes."""
DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(uint8)": "uint8"}
_PROBE_HW = (21, 13)
_PROBE_MULTIPLES = (2, 4, 8, 16, 32, 64, 3, 6, 12, 24, 48, 5, 7, 10)
_MEMORY_SIDE = 128
_LOOPS = ("Loop", "Scan", "SequenceMap")


@dataclass(frozen=True)
class OnnxProof:
    """What is known of an .onnx that has run.

    Attributes:
        name: of the input tensor.
        channels_first: of the input: [1, c, h, w], else [1, h, w, c].
        result_channels_first: the same of the output.
        channels: 3, or 1 for a network of brightness.
        dtype: of the input.
        scale: upscaling factor.
        tile: (height, width) that it runs at, or of a window to begin with.
        resizable: it runs at windows of other sizes.
        multiple: what the sides of these must be multiples of.
        bytes_per_pixel: what a run takes, a pixel of the window.
        seconds_per_pixel: of the processor, the same.
    """

    name: str
    channels_first: bool
    result_channels_first: bool
    channels: int
    dtype: str
    scale: int
    tile: tuple[int, int]
    resizable: bool
    multiple: int
    bytes_per_pixel: float
    seconds_per_pixel: float


def prove_onnx(path: Path) -> OnnxProof:
    """Has a file read and run in a process of its own, unless this very file has been on this machine, by this runtime.

    Raises:
        ModelError: it is damaged, no network of one image, or crashes, or takes more than two minutes or 4 GiB.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file: check the path")
    place = place_of(path, f"onnx-{PROOF_VERSION}-{version('onnxruntime')}")
    known = recall(place, OnnxProof)
    if known is None:
        facts = isolated(
            "conversion.engines.onnx_proof:prove_here",
            [str(path)],
            lambda said: ModelError(f"{path}: onnxruntime cannot run it ({said}): it is damaged, or too large: export it again"),
            Limits(seconds=120.0, memory=WHOLE_MEMORY),
        )
        known = OnnxProof(**facts)
        keep(place, known)
    return known if isinstance(known.tile, tuple) else OnnxProof(**asdict(known) | {"tile": tuple(known.tile)})


def open_session(path: Path, threads: int) -> "onnxruntime.InferenceSession":
    """An onnxruntime session on the CPU that says nothing.

    Raises:
        ModelError: onnxruntime refuses the file.
    """
    import onnxruntime

    _limit_memory()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen types of its own
        raise ModelError(f"{path}: onnxruntime cannot open it ({one_line(error)}): export it again") from None


def failure(path: str | Path, size: tuple[int, int], error: Exception) -> ModelError:
    """What an error of onnxruntime's says of an image of (height, width)."""
    image = f"a {size[0]}x{size[1]} image"
    if "bfc_arena" in str(error):
        most = f"{WHOLE_MEMORY >> 30} GiB"
        return ModelError(f"{path}: {image} takes more than {most}: give a smaller `tile` or photo, or another network")
    return ModelError(f"{path}: onnxruntime fails on {image} ({one_line(error)}): try another `tile`")


@functools.cache
def _limit_memory() -> None:
    """Gives onnxruntime an allocator, for all sessions of this process, that refuses more than `WHOLE_MEMORY`.

    Sizes that a file computes while it runs are known by then only.
    """
    import onnxruntime

    place = onnxruntime.OrtMemoryInfo("Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT)
    default = dict.fromkeys(("arena_extend_strategy", "initial_chunk_size_bytes", "max_dead_bytes_per_chunk"), -1)
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(default | {"max_mem": WHOLE_MEMORY}))


def prove_here(path: str) -> dict:
    """What `prove_onnx` has done there.

    Raises:
        ModelError: as `prove_onnx`.
    """
    from conversion.onnx.load import read_onnx

    model = read_onnx(path)
    if (loop := _loop_in(model.graph)) is not None:
        raise ModelError(f"{path}: {loop} is control flow, which may run for ever: export a graph without loops")
    session = open_session(Path(path), 1)
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise ModelError(f"{path}: {len(inputs)} inputs: need a network of one image in and one out")
    shape, dtype = list(inputs[0].shape), DTYPES.get(inputs[0].type)
    if dtype is None:
        raise ModelError(f"{path}: its input is a {inputs[0].type}: export it with float32 values")
    reasons: list[str] = []
    for channels, first in _layouts(shape):
        sides = shape[2:] if first else shape[1:3]
        free = [not isinstance(side, int) or side < 1 for side in sides]
        height, width = (64 if is_free else side for is_free, side in zip(free, sides))
        size = (height, width)
        probe = _Probe(session, first, channels, np.dtype(dtype))
        found = _runs(probe, size, all(free), reasons)
        if found is not None:
            scale, result_first, multiple = found
            resizable = multiple > 0
            side = -(-64 // multiple) * multiple if resizable else 0
            tile = (side, side) if resizable else size
            largest = tile if not resizable else (-(-_MEMORY_SIDE // multiple) * multiple,) * 2
            try:
                costs = _costs(probe, largest)
            except Exception as error:  # onnxruntime's own
                raise failure(path, largest, error) from None
            return asdict(
                OnnxProof(inputs[0].name, first, result_first, channels, dtype, scale, tile, resizable, max(multiple, 1), *costs)
            )
    said = reasons[0] if reasons else f"its input is {'x'.join(str(side) for side in shape)}"
    wanted = "an image of 3 channels or 1, [1, c, h, w] or [1, h, w, c], and one a whole number of times larger out"
    raise ModelError(f"{path}: {said}: need {wanted}")


class _Probe:
    """Runs a session on zeros of a size."""

    def __init__(self, session: "onnxruntime.InferenceSession", first: bool, channels: int, dtype: np.dtype) -> None:
        self.session, self.first, self.channels, self.dtype = session, first, channels, dtype

    def shape_at(self, height: int, width: int) -> tuple[int, ...]:
        """Of the first output.

        Raises:
            Exception: whatever onnxruntime has to say.
        """
        shape = (1, self.channels, height, width) if self.first else (1, height, width, self.channels)
        return np.shape(self.session.run(None, {self.session.get_inputs()[0].name: np.zeros(shape, self.dtype)})[0])


def _layouts(shape: list[Any]) -> Iterator[tuple[int, bool]]:
    """(channels, channels first) that a shape allows, likely ones first."""
    if len(shape) != 4 or (isinstance(shape[0], int) and shape[0] > 1):
        return
    for channels in (3, 1):
        for axis, first in ((1, True), (3, False)):
            if shape[axis] == channels:
                yield channels, first
    if not any(isinstance(shape[axis], int) and shape[axis] in (1, 3) for axis in (1, 3)):
        for channels in (3, 1):
            for axis, first in ((1, True), (3, False)):
                if not isinstance(shape[axis], int):
                    yield channels, first


def _runs(probe: _Probe, size: tuple[int, int], free: bool, reasons: list[str]) -> tuple[int, bool, int] | None:
    """(scale, channels first in the result, multiple of the sides; 0: no other size than this one); None if it is no enlarging."""
    tries = [(_PROBE_HW, 1), *(((5 * m, 3 * m), m) for m in _PROBE_MULTIPLES)] if free else []
    for hw, multiple in (*tries, (size, 0)):
        try:
            shape = probe.shape_at(*hw)
        except Exception as error:  # onnxruntime's own: this size is not one of the network's
            reasons.append(f"onnxruntime fails on {hw[0]}x{hw[1]} ({one_line(error)})")
            continue
        for first in (probe.first, not probe.first):
            sides = shape[2:] if first else shape[1:3]
            scale = sides[0] // hw[0] if len(shape) == 4 else 0
            if scale and sides == (hw[0] * scale, hw[1] * scale) and shape[1 if first else 3] == probe.channels:
                return scale, first, multiple
        reasons.insert(0, f"it makes {'x'.join(map(str, shape))} of {hw[0]}x{hw[1]} pixels")
    return None


def _costs(probe: _Probe, size: tuple[int, int]) -> tuple[float, float]:
    """Bytes and seconds of the processor a pixel: by how much the process grows, a little more than the largest tensors that live at a
    time, and how long it takes.
    """
    try:
        import resource
    except ImportError:  # not on Windows
        return 4096.0, 1e-3
    pixels, before, begun = size[0] * size[1], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    probe.shape_at(size[0], size[1])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return max(1024.0 * grown / pixels, 256.0), (time.process_time() - begun) / pixels


def _loop_in(graph: "onnx.GraphProto") -> str | None:
    for node in graph.node:
        if node.op_type in _LOOPS:
            return str(node.op_type)
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                if (found := _loop_in(inner)) is not None:
                    return found
    return None
