"""What half precision does to networks: whole images on the GPU engine and emulated, before and after the rescaling, in Markdown.

    python scripts/measure_fp16.py SET5 MODEL...

SET5 holds HR and LRxS; a MODEL is a checkpoint, .keras file or preset. True half precision is computed by the GPU engine on Mesa's
lavapipe (scripts/gpu_packages.sh), emulated half precision by the CPU engine with every computed tensor rounded.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from script import run

from keras_models.system.quiet import silenced

with silenced():  # TensorFlow talks while it is imported
    from conversion.calibration_images import synthetic_images
    from conversion.engines.cpu import CpuEngine
    from conversion.gpu.devices import VulkanDevice, software_devices
    from conversion.gpu.engine import GpuJob, run_on_gpu
    from conversion.graph.exact_rewrites import deploy_graph
    from conversion.graph.half_range import within_half_range
    from conversion.graph.ir import Graph
    from conversion.graph.to_keras import to_keras
    from conversion.measuring.evaluate import photos_in
    from conversion.tflite.converter import to_tflite
    from conversion.tflite.half_emulation import half_kinds, round_to_half
    from conversion.tflite.half_range import tensor_ranges
    from conversion.tflite.retile import at_tile
    from keras_models.checkpoints.loading import load_model
    from keras_models.folding import fold
    from keras_models.metrics import measure, to_uint8
    from keras_models.system.errors import ModelError

TILE = (64, 64)  # the rescaling is measured on images of this size, as `convert --tile 64x64` does


@dataclass
class Half:
    """One way of computing in half precision, image by image."""

    finite: list[float]
    psnr: list[float]
    error: list[float]
    change: list[float]

    def row(self) -> str:
        """Four cells; the last three only if every value was finite."""
        share = 100 * float(np.mean(self.finite))
        if share < 100:
            return f"{share:.1f} % | - | - | -"
        change = f"{np.mean(self.change):+.4f} ({max(self.change, key=abs):+.4f})"
        return f"100 % | {np.mean(self.psnr):.1f} ({min(self.psnr):.1f}) | {max(self.error):.4f} | {change}"


def main(set5: Path, models: list[str]) -> None:
    """Prints both tables, the second one after all rows of the first."""
    photos_in(set5)  # an empty folder is refused before the work
    lavapipe = next((device for device in software_devices() if device.name == "lavapipe"), None)
    if lavapipe is None:
        raise ModelError("lavapipe, a software Vulkan device, is not there: run scripts/gpu_packages.sh")
    change = "PSNR-Y change, dB, mean (worst image)"
    say(f"| network | graph | computed | finite | dB to float32, mean (worst image) | max error | {change} |\n")
    say("|---|---|---|---|---|---|---|\n")
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            network = fold(load_model(model))
            plain = deploy_graph(network, *TILE)
            rescaled = within_half_range(plain, synthetic_images(*TILE))
            kinds = {}
            for name, graph in {"plain": plain, "rescaled": rescaled}.items():
                rows, kinds[name] = study(graph, list(pairs(set5, network.scale)), lavapipe, Path(folder))
                for computed, half in rows.items():
                    say(f"| {Path(model).stem} | {name} | {computed} | {half.row()} |\n")
            tables.append((Path(model).stem, kinds))
    for model, kinds in tables:
        say(f"\n{model}, one kind of tensor rounded at a time, on the smallest image (largest values: on all):\n\n")
        say("| kind | largest, plain | dB | largest, rescaled | dB |\n|---|---|---|---|---|\n")
        order = sorted(kinds["rescaled"], key=lambda kind: kinds["rescaled"][kind][1])
        for kind in order:
            (big, before), (small, after) = kinds["plain"][kind], kinds["rescaled"][kind]
            say(f"| {kind} | {big:.3g} | {before:.1f} | {small:.3g} | {after:.1f} |\n".replace("nan", "not finite"))


def study(graph: Graph, images: list, device: VulkanDevice, folder: Path) -> tuple[dict[str, Half], dict[str, tuple[float, float]]]:
    """Both ways of computing, and for each kind of tensor its largest value and, on the smallest image, the dB if it alone is rounded."""
    ways = {"GPU engine": Half([], [], [], []), "emulated": Half([], [], [], [])}
    largest: dict[str, float] = {}
    decibels: dict[str, float] = {}
    smallest = min(low.size for low, _ in images)
    path, rounded = folder / "whole.tflite", folder / "rounded.tflite"
    converted = to_tflite(to_keras(graph, *TILE))
    for low, high in images:
        data = at_tile(converted, *low.shape[:2])
        path.write_bytes(data)
        engine = CpuEngine(path)
        exact = engine.run(low)
        quality = measure(to_uint8(exact), high, engine.scale).psnr_y
        rounded.write_bytes(round_to_half(data))
        outputs = {
            "GPU engine": run_on_gpu(GpuJob(path, low[None, None], half=True), device).outputs[0, 0],
            "emulated": CpuEngine(rounded).run(low),
        }
        for way, output in outputs.items():
            add(ways[way], output, exact, high, engine.scale, quality)
        kinds = half_kinds(data)
        for name, value in tensor_ranges(path, [low[None]]).items():
            if name in kinds:
                largest[kinds[name]] = max(largest.get(kinds[name], 0.0), value)
        for kind in set(kinds.values()) if low.size == smallest else ():
            rounded.write_bytes(round_to_half(data, lambda other, kind=kind: other == kind))
            decibels[kind] = psnr(CpuEngine(rounded).run(low), exact)
    return ways, {kind: (largest[kind], value) for kind, value in decibels.items()}


def add(half: Half, output: np.ndarray, exact: np.ndarray, high: np.ndarray, scale: int, quality: float) -> None:
    """Measures one image."""
    half.finite.append(float(np.isfinite(output).mean()))
    if half.finite[-1] == 1:
        half.psnr.append(psnr(output, exact))
        half.error.append(float(np.abs(output - exact).max()))
        half.change.append(measure(to_uint8(output), high, scale).psnr_y - quality)


def psnr(output: np.ndarray, exact: np.ndarray) -> float:
    """dB, peak 1; NaN if the output is not finite."""
    return float(-10 * np.log10(((output.astype(np.float64) - exact) ** 2).mean()))


def pairs(folder: Path, scale: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(low-res float32 in [0, 1], high-res uint8 of its size times the scale), RGB."""
    for path in sorted((folder / f"LRx{scale}").glob("*.png")):
        low = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
        high = np.asarray(Image.open(folder / "HR" / path.name).convert("RGB"))
        yield low, high[: low.shape[0] * scale, : low.shape[1] * scale]


def say(text: str) -> None:
    """Prints at once: the whole study takes a while."""
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    run(main, __doc__)
