"""Any .tflite or .onnx, proven: run on inputs of several kinds, compared with what it was made of, and run on a GPU."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from conversion.gpu.rounding_bound import HALF_STEP
from conversion.measuring.any_against import Difference, compared
from conversion.measuring.any_gpu import AnyGpu, run_any_gpu
from conversion.measuring.any_model import AnyModel
from conversion.measuring.feeds import Fed, feeds_of, made_feeds
from conversion.tflite.file import TFLiteFile, read_tflite
from conversion.tflite.half_range import HALF_MAX
from conversion.tflite.made_inputs import Wanted, rounded_feed
from keras_models.system.errors import ModelError, printable

REPORT_VERSION = 1
_SINGLE_STEP = 2.0**-24


@dataclass(frozen=True)
class OutputReport:
    """One output on one input: signature, name, shape, dtype, what it was run on, smallest and largest value, whether all are finite."""

    signature: str | None
    name: str
    shape: tuple[int, ...]
    dtype: str
    input: str
    low: float | None
    high: float | None
    finite: bool

    def as_text(self) -> str:
        """One line."""
        where = f"{self.signature}: " if self.signature else ""
        sides = "x".join(map(str, self.shape)) or "a single value"
        reach = f"{self.low:.4g} to {self.high:.4g}" if self.low is not None else "nothing finite"
        return f"{where}{self.name} {sides} {self.dtype}, {self.input}: {reach}{'' if self.finite else ', NOT FINITE'}"


@dataclass(frozen=True)
class AnyVerification:
    """What was measured.

    Attributes:
        file: its name.
        inputs: of each signature, its inputs as text.
        outputs: every output of every signature on every input.
        half_max: largest intermediate of the first graph, None for integer files and .onnx.
        half_tensor: the tensor that reaches it.
        against: what it was compared with, None if nothing was given.
        differences: of every output, to that.
        gpu: what the GPU engine did, None if it was not asked for.
        problems: what is wrong.
        version: of this schema.
    """

    file: str
    inputs: tuple[str, ...]
    outputs: tuple[OutputReport, ...]
    half_max: float | None
    half_tensor: str | None
    against: str | None
    differences: tuple[Difference, ...]
    gpu: AnyGpu | None
    problems: tuple[str, ...]
    version: int = REPORT_VERSION

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_text(self) -> str:
        """For people."""
        lines = [f"{self.file}: {'FAILED' if self.problems else 'ok'}, not as super-resolution"]
        lines += [f"input                {text}" for text in self.inputs]
        lines += [f"output               {output.as_text()}" for output in self.outputs]
        if self.half_max is not None:
            lines.append(f"largest intermediate {self.half_max:.4g} ({self.half_tensor}), half ends at 65504")
        lines += [f"to {self.against}: {difference.as_text()}" for difference in self.differences]
        lines += self.gpu.as_text().split("\n") if self.gpu else []
        return "\n".join(map(printable, [*lines, *(f"problem              {problem}" for problem in self.problems)]))


def verify_any(path: str | Path, against: str | Path | None = None, fed: Fed | None = None, gpu: bool = False) -> AnyVerification:
    """Runs a file on inputs of several kinds.

    Args:
        path: a .tflite or .onnx of any inputs and outputs.
        against: what it was made of or should agree with: an .onnx, .keras, .tflite, or the folder of a SavedModel.
        fed: what to run it on; by default as `Fed`.
        gpu: run its first graph on a GPU too, in both precisions.

    Raises:
        ModelError: it cannot be read or run, the inputs do not fit, or there is no GPU.
    """
    path, fed = Path(path), fed or Fed()
    if path.suffix.lower() not in (".tflite", ".onnx"):
        raise ModelError(f"{path}: a .tflite or .onnx is verified: give one of these")
    file = read_tflite(path) if path.suffix.lower() == ".tflite" else None
    integers = file is not None and bool({"int8", "uint8", "int16"} & {t.dtype for t in file.tensors})
    inputs, outputs, differences, problems = list[str](), list[OutputReport](), list[Difference](), list[str]()
    for name, model in _signatures(path, fed):
        told = {want.name for want in model.inputs}
        _, feeds = made_feeds(model.inputs, replace(fed, shapes={k: v for k, v in fed.shapes.items() if k in told}), path)
        made = {fed_name: model.run([*feed.values()]) for fed_name, feed in feeds.items()}
        inputs += [_input_text(name, want, next(iter(feeds.values()))[want.index]) for want in model.inputs]
        outputs += [_report(name, out, value, on) for on, values in made.items() for out, value in zip(model.outputs, values)]
        if against is not None and not differences:
            # Half weights and integers are held to what half precision, or 8 bits, explain.
            step = HALF_STEP if file is not None and "float16" in {t.dtype for t in file.tensors} else _SINGLE_STEP
            moved = {on: [model.run([*rounded_feed(feed, HALF_STEP, seed).values()]) for seed in range(2)] for on, feed in feeds.items()}
            differences = compared(model, against, name, feeds, made, moved, None if integers else step)
    problems += [f"{o.name} on {o.input}: not finite" for o in outputs if not o.finite]
    problems += [problem for difference in differences for problem in difference.problems()]
    half = None if file is None or integers else _largest(path, fed)
    if half is not None and half[0] > HALF_MAX:
        problems.append(f"{half[1]} reaches {half[0]:.3g}, half precision ends at 65504: `bisect` with `gpu` names the operation")
    on_gpu = _on_gpu(path, file, fed, integers) if gpu else None
    problems += on_gpu.problems() if on_gpu else []
    return AnyVerification(
        str(path), tuple(inputs), tuple(outputs), half[0] if half else None, half[1] if half else None,
        str(against) if against is not None else None, tuple(differences), on_gpu, tuple(problems),
    )  # fmt: skip


def is_super_resolution(path: str | Path) -> bool:
    """Whether a .tflite has the shapes of super-resolution, so that its checks are those of an image; what cannot be read is left to them.

    Raises:
        ModelError: not a readable .tflite.
    """
    file = read_tflite(path)
    if len(file.inputs) != 1 or len(file.outputs) != 1:
        return False
    source, made = (file.tensors[i] for i in (file.inputs[0], file.outputs[0]))
    if not {source.dtype, made.dtype} <= {"float32", "int8", "uint8", "int16"} or len(source.shape) != 4 or len(made.shape) != 4:
        return False
    if source.shape[0] != 1 or made.shape[0] != 1 or source.shape[3] not in (1, 3) or made.shape[3] != source.shape[3]:
        return False
    (height, width), (high, wide) = source.shape[1:3], made.shape[1:3]
    return (height, width) == (1, 1) or bool(height and high % height == 0 and wide == width * (high // height))


def _signatures(path: Path, fed: Fed) -> Iterator[tuple[str | None, AnyModel]]:
    """(name, opened file) of each signature; the name is None where there is one at most.

    Raises:
        ModelError: a shape is said of an input that none of them has.
    """
    known = set[str]()
    with AnyModel(path) as model:
        names = model.signatures
        known |= {want.name for want in model.inputs}
        if len(names) < 2:
            _refuse_unknown(path, known, fed)
            yield None, model
            return
    for name in names:
        with AnyModel(path, name) as model:
            known |= {want.name for want in model.inputs}
            yield name, model
    _refuse_unknown(path, known, fed)


def _refuse_unknown(path: Path, known: set[str], fed: Fed) -> None:
    for name in fed.shapes:
        if name not in known:
            raise ModelError(f"{path}: no input {name!r} (`shape`): its inputs are {', '.join(sorted(known))}")


def _input_text(signature: str | None, want: Wanted, value: np.ndarray) -> str:
    where = f"{signature}: " if signature else ""
    quantized = f", scale {want.scale:g}, zero point {want.zero_point}" if want.scale else ""
    return f"{where}{want.name} {'x'.join(map(str, value.shape)) or 'a single value'} {want.dtype}{quantized}"


def _report(signature: str | None, name: str, value: np.ndarray, on: str) -> OutputReport:
    numbers = value.astype(np.float64) if value.dtype.kind in "fiub" else np.zeros(0)
    known = numbers[np.isfinite(numbers)]
    low, high = (float(known.min()), float(known.max())) if known.size else (None, None)
    return OutputReport(signature, name, value.shape, value.dtype.name, on, low, high, known.size == numbers.size)


def _largest(path: Path, fed: Fed) -> tuple[float, str] | None:
    """The largest intermediate of the first graph and its name; None if none is a float tensor."""
    from conversion.gpu.bisect import taps_of
    from conversion.tflite.all_tensors import all_tensors
    from conversion.tflite.check import parse_checked
    from conversion.tflite.names import text_of

    data, feeds = feeds_of(path, _named_as_tensors(path, fed))
    model = parse_checked(data, str(path))
    taps = {tensor for _, tensor in taps_of(model)}
    best: tuple[float, str] | None = None
    for run in all_tensors(data, [*feeds.values()], taps, path) if taps else ():
        for tensor, value in run.items():
            size = float(np.abs(value[np.isfinite(value)]).max(initial=0)) if np.isfinite(value).all() else np.inf
            if best is None or size > best[0]:
                best = (size, text_of(model.subgraphs[0].tensors[tensor].name))
    return best


def _on_gpu(path: Path, file: TFLiteFile | None, fed: Fed, integers: bool) -> AnyGpu:
    if file is None:
        raise ModelError(f"{path}: LiteRT's GPU engine takes .tflite files alone: leave `gpu` out, or convert it first")
    if integers:
        raise ModelError(f"{path}: a GPU computes an integer file in float: verify the float32 or float16 file instead")
    return run_any_gpu(path, *feeds_of(path, _named_as_tensors(path, fed)))


def _named_as_tensors(path: Path, fed: Fed) -> Fed:
    """The same with shapes of the first graph's inputs by their tensors' names: a signature calls them otherwise."""
    from conversion.tflite.check import read_checked
    from conversion.tflite.made_inputs import wanted_inputs
    from conversion.tflite.names import text_of

    if not fed.shapes:
        return fed
    _, parsed = read_checked(path)
    graph, names = parsed.subgraphs[0], dict[int, str]()
    for told in parsed.signatureDefs or []:
        if (told.subgraphIndex or 0) == 0:
            names |= {int(entry.tensorIndex): text_of(entry.name) for entry in told.inputs or [] if entry.tensorIndex < len(graph.tensors)}
    own = {names.get(want.index, want.name): want.name for want in wanted_inputs(parsed)}
    return replace(fed, shapes={own[name]: sides for name, sides in fed.shapes.items() if name in own})
