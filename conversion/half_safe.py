"""A foreign float .tflite made safe in half precision by powers of two, and proven so: in single precision and on the GPU engine."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conversion.gpu.rounding_bound import HALF_STEP, leaving
from conversion.measuring.any_gpu import run_any_gpu
from conversion.measuring.any_model import must_run
from conversion.measuring.feeds import Fed, feeds_of
from conversion.tflite.all_tensors import all_tensors
from conversion.tflite.check import parse_checked
from conversion.tflite.half_rescale import rescaled
from conversion.tflite.made_inputs import made_feed, rounded_feed, wanted_inputs
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ConversionError, printable


@dataclass(frozen=True)
class HalfSafe:
    """What was written.

    Attributes:
        file: it.
        largest: (before, after) largest intermediate.
        exponents: tensor -> power of two that it is larger by.
        products: products by a power of two that were put in.
        single: largest difference of an output to the file before, in single precision on the CPU.
        half: largest difference of an output to the CPU's single precision, in half precision on the GPU engine.
        device: where that was computed.
    """

    file: str
    largest: tuple[float, float]
    exponents: dict[str, int]
    products: int
    single: float
    half: float
    device: str

    def as_text(self) -> str:
        """For people."""
        return printable(
            f"{self.file}: {len(self.exponents)} tensors rescaled, {self.products} products added, largest intermediate "
            f"{self.largest[0]:.4g} -> {self.largest[1]:.4g}; single precision {self.single:.2g} off, "
            f"half precision on {self.device} {self.half:.2g} off"
        )


def write_half_safe(path: str | Path, target: str | Path, fed: Fed | None = None) -> HalfSafe:
    """Rescales a file, proves it and writes it.

    Args:
        path: a float .tflite.
        target: where to.
        fed: inputs to measure and prove it on, zeros besides; by default as `Fed`.

    Raises:
        ConversionError: nothing to rescale, what stands in the way, or the proof fails; nothing is written then.
        ModelError: the file cannot be read or run, or there is no device of half precision.
    """
    from conversion.gpu.bisect import taps_of

    data, feeds = feeds_of(path, fed or Fed())
    must_run(path, next(iter(feeds.values())))
    model = parse_checked(data, str(path))
    if {"int8", "uint8", "int16"} & _dtypes(model):
        raise ConversionError(f"{path}: an integer file has no half precision: give a float file")
    wanted = wanted_inputs(model)
    shapes = [value.shape for value in next(iter(feeds.values())).values()]
    feeds |= {"zeros": made_feed(wanted, shapes, "zeros")}
    largest = _largest(data, feeds, {tensor for _, tensor in taps_of(model)}, path)
    made = rescaled(data, largest)
    if made.blocked:
        raise ConversionError(f"{path}: {len(made.blocked)} operations stand in the way of half precision: {'; '.join(made.blocked)}")
    if made.data == data:
        raise ConversionError(
            f"{path}: no tensor leaves half's range (largest {max(largest.values()):.4g}): powers of two mend nothing here; "
            "`bisect` with `gpu` says whether an operation breaks otherwise"
        )
    after = parse_checked(made.data, str(path))
    small = _largest(made.data, feeds, {tensor for _, tensor in taps_of(after)}, path)
    single = _proven_in_single(data, made.data, feeds, path)
    gpu = run_any_gpu(Path(path), made.data, feeds)
    if gpu.problems():
        raise ConversionError(f"{path}: rescaled it still differs on a GPU: {'; '.join(gpu.problems())}: nothing is written")
    with atomic_output(Path(target)) as temporary:
        temporary.write_bytes(made.data)
    half = max(output.difference or 0.0 for output in gpu.outputs if output.precision == "half")
    ranges = (max(largest.values()), max(small.values()))
    return HalfSafe(str(target), ranges, made.exponents, made.products, single, half, gpu.device)


def _dtypes(model: object) -> set[str]:
    from conversion.tflite.names import type_name

    return {type_name(tensor.type) for tensor in model.subgraphs[0].tensors}  # type: ignore[attr-defined]


def _largest(data: bytes, feeds: dict[str, dict[int, np.ndarray]], taps: set[int], path: str | Path) -> dict[int, float]:
    """Index of a tensor -> largest magnitude over the inputs; inf where it was not finite."""
    largest = dict.fromkeys(taps, 0.0)
    for run in all_tensors(data, [*feeds.values()], taps, path):
        for tensor, value in run.items():
            size = float(np.abs(value).max(initial=0)) if np.isfinite(value).all() else np.inf
            largest[tensor] = max(largest[tensor], size)
    return largest


def _proven_in_single(data: bytes, made: bytes, feeds: dict[str, dict[int, np.ndarray]], path: str | Path) -> float:
    """Largest difference of an output between both files on the CPU.

    Raises:
        ConversionError: more than rounding explains.
    """
    before, after = (tuple(map(int, parse_checked(part, str(path)).subgraphs[0].outputs)) for part in (data, made))
    right, got = all_tensors(data, [*feeds.values()], set(before), path), all_tensors(made, [*feeds.values()], set(after), path)
    moved = all_tensors(data, [rounded_feed(feed, HALF_STEP) for feed in feeds.values()], set(before), path)
    worst = 0.0
    for r, m, g in zip(right, moved, got):
        for old, new in zip(before, after):
            found = leaving(r[old], [m[old]], g[new], exact=True)
            if found.ratio > 1:
                raise ConversionError(f"{path}: rescaled it differs by {found.difference:.2g} in single precision: nothing is written")
            worst = max(worst, found.difference)
    return worst
