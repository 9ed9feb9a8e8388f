"""Inputs for any .tflite, made by a seed and by kind, or read from files; of whatever shapes and types the file takes."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conversion.tflite.names import operation_name, text_of, type_name
from keras_models.system.errors import ModelError

KINDS = ("uniform", "normal", "flat", "zeros", "extremes")
MAX_VALUES = 1 << 28
"""Numbers in one input: 1 GiB in single precision."""
_INTEGER_END = 10
"""Integers are drawn from 0 up to this, where no table that they index says less."""


@dataclass(frozen=True)
class Wanted:
    """An input that a file takes.

    Attributes:
        index: of its tensor.
        name: of its tensor, or what its signature calls it.
        shape: as the file declares it; -1 where it is free.
        dtype: TFLite's word: "float32".
        scale: of an integer tensor that stands for real numbers, else None.
        zero_point: of such a tensor.
        end: integers are below it: rows of the table that they index, else None.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int = 0
    end: int | None = None


def wanted_inputs(model: Any, names: Mapping[int, str] | None = None) -> list[Wanted]:
    """What a `ModelT`'s first graph takes, in its order; `names` are those of a signature."""
    graph = model.subgraphs[0]
    found = []
    for index in map(int, graph.inputs):
        tensor, quantization = graph.tensors[index], graph.tensors[index].quantization
        scales = [] if quantization is None or quantization.scale is None else list(quantization.scale)
        zeros = [] if quantization is None or quantization.zeroPoint is None else list(quantization.zeroPoint)
        stored = [] if tensor.shape is None else tensor.shape
        shape = tensor.shapeSignature if tensor.shapeSignature is not None and len(tensor.shapeSignature) else stored
        name = (names or {}).get(index) or text_of(tensor.name)
        scale = float(scales[0]) if scales else None
        zero = int(zeros[0]) if zeros else 0
        found.append(Wanted(index, name, tuple(map(int, shape)), type_name(tensor.type), scale, zero, _rows_indexed(model, graph, index)))
    return found


def fixed_shapes(wanted: Sequence[Wanted], said: Mapping[str, Sequence[int]], where: str | Path) -> list[tuple[int, ...]]:
    """The shapes to run at: what is said of an input by its name, else what the file declares, a free leading side being 1.

    Raises:
        ModelError: a free side that nothing was said of, a name that no input has, a rank or a fixed side that differs, or too large.
    """
    names = [want.name for want in wanted]
    for name in said:
        if name not in names:
            raise ModelError(f"{where}: no input {name!r} (`shape`): its inputs are {', '.join(names)}")
    shapes = []
    for want in wanted:
        declared = want.shape
        if want.name in said:
            shape = tuple(int(side) for side in said[want.name])
            if len(shape) != len(declared) or any(d not in (-1, side) for d, side in zip(declared, shape)):
                raise ModelError(
                    f"{where}: input {want.name} is {_sides(declared)}, not {_sides(shape)} (`shape`): only sides written ? are free"
                )
        else:
            shape = tuple(1 if side == -1 and not place else side for place, side in enumerate(declared))
            if -1 in shape:
                raise ModelError(
                    f"{where}: input {want.name} is {_sides(declared)}: say its size with `shape` {want.name}={_example(shape)}"
                )
        if min(shape, default=1) < 1 or np.prod(shape, dtype=float) > MAX_VALUES:
            raise ModelError(f"{where}: an input of {_sides(shape)}: 1 to {MAX_VALUES:,} values are run (`shape`)")
        shapes.append(shape)
    return shapes


def made_feed(wanted: Sequence[Wanted], shapes: Sequence[tuple[int, ...]], kind: str, seed: int = 0) -> dict[int, np.ndarray]:
    """Values for every input.

    Args:
        wanted: the inputs.
        shapes: of `fixed_shapes`.
        kind: one of `KINDS`: "uniform" in 0..1, "normal" of mean 0 and deviation 1, "flat" 0.5, "zeros", "extremes" 0 or 1.
        seed: of all that is random.

    Raises:
        ModelError: an input of a type that no array has (strings).
    """
    rng = np.random.default_rng(seed)
    return {want.index: _made(want, shape, kind, rng) for want, shape in zip(wanted, shapes)}


def read_feeds(wanted: Sequence[Wanted], path: Path) -> tuple[dict[int, np.ndarray], list[tuple[int, ...]]]:
    """Values out of an .npy (of one input) or .npz (a member of each input's name), and their shapes.

    Raises:
        ModelError: it cannot be read, an input is missing, or its type or rank is another.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {wanted[0].name: loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file: give an .npy or .npz of inputs") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise ModelError(f"{path}: cannot be read ({type(error).__name__}): give an .npy or .npz of numbers") from error
    feed, shapes = {}, []
    for want in wanted:
        if want.name not in arrays or (len(wanted) > 1 and isinstance(loaded, np.ndarray)):
            raise ModelError(f"{path}: nothing for input {want.name}: give an .npz with {', '.join(w.name for w in wanted)}")
        array = arrays[want.name]
        if array.ndim != len(want.shape) or any(d not in (-1, side) for d, side in zip(want.shape, array.shape)):
            raise ModelError(f"{path}: {_sides(array.shape)} for input {want.name}, which takes {_sides(want.shape)}")
        if array.dtype.kind not in "fiub" or not np.can_cast(array.dtype, want.dtype, "same_kind"):
            raise ModelError(f"{path}: {array.dtype} for input {want.name}, which takes {want.dtype}")
        feed[want.index] = np.ascontiguousarray(array.astype(want.dtype))
        shapes.append(array.shape)
    return feed, shapes


def rounded_feed(feed: Mapping[int, np.ndarray], relative: float, seed: int = 0) -> dict[int, np.ndarray]:
    """The same inputs with each real number moved up or down by so much of itself; integers stay."""
    rng = np.random.default_rng(seed)
    signs = {i: rng.choice(np.array([-1, 1], np.float32), v.shape) for i, v in feed.items() if v.dtype.kind == "f"}
    return {i: (v * (1 + np.float32(relative) * signs[i])).astype(v.dtype) if i in signs else v for i, v in feed.items()}


def _made(want: Wanted, shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> np.ndarray:
    real = {
        "uniform": lambda: rng.random(shape),
        "normal": lambda: rng.normal(size=shape),
        "flat": lambda: np.full(shape, 0.5),
        "zeros": lambda: np.zeros(shape),
        "extremes": lambda: rng.integers(0, 2, shape).astype(np.float64),
    }
    if want.dtype == "bool":
        return np.asarray(real["extremes"]() > 0 if kind in ("uniform", "normal", "extremes") else np.zeros(shape, bool))
    try:
        dtype = np.dtype(want.dtype)
    except TypeError:
        raise ModelError(f"input {want.name} is {want.dtype}: numbers and booleans alone are made") from None
    if dtype.kind in "fc":
        return np.asarray(real[kind]()).astype(dtype)
    limits = np.iinfo(dtype)
    if want.scale:
        steps = np.round(real[kind]() / want.scale) + want.zero_point
        return np.clip(steps, limits.min, limits.max).astype(dtype)
    end = min(want.end or _INTEGER_END, limits.max)
    chosen = {"zeros": 0, "flat": end // 2}
    if kind in chosen:
        return np.full(shape, chosen[kind], dtype)
    return (rng.integers(0, 2, shape) * (end - 1) if kind == "extremes" else rng.integers(0, end, shape)).astype(dtype)


def _rows_indexed(model: Any, graph: Any, index: int) -> int | None:
    """How many rows the table has that an input takes rows of, directly or through a CAST."""
    same, least = {index}, None
    for operator in graph.operators:
        name, inputs = (
            operation_name(model.operatorCodes[operator.opcodeIndex]),
            [] if operator.inputs is None else [*map(int, operator.inputs)],
        )
        if name in ("CAST", "RESHAPE", "EXPAND_DIMS", "SQUEEZE") and inputs and inputs[0] in same:
            same |= {int(o) for o in operator.outputs}
        place = {"GATHER": (1, 0), "EMBEDDING_LOOKUP": (0, 1)}.get(name)
        if place and len(inputs) > 1 and inputs[place[0]] in same:
            axis = getattr(operator.builtinOptions, "axis", 0) or 0 if name == "GATHER" else 0
            sides = graph.tensors[inputs[place[1]]].shape
            if sides is not None and len(sides):
                least = min(least or 1 << 30, int(sides[axis % len(sides)]))
    return least


def _sides(shape: Sequence[int]) -> str:
    return "x".join("?" if side == -1 else str(side) for side in shape) or "a single value"


def _example(shape: Sequence[int]) -> str:
    return ",".join("64" if side == -1 else str(side) for side in shape)
