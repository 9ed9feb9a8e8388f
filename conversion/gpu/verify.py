"""Does a .tflite really run on a GPU? LiteRT's GPU engine against the CPU engine, in single and in half precision, on several images."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conversion.calibration_images import photo_crops, synthetic_images
from conversion.engines.cpu import CpuEngine
from conversion.gpu.devices import VulkanDevice, software_devices, system_device
from conversion.gpu.engine import TIME_LIMIT_S, GpuJob, GpuRefusal, GpuRun, NoVulkanDevice, run_on_gpu
from conversion.tflite.file import read_tflite
from keras_models.system.errors import ModelError

SINGLE_TOLERANCE = 1e-4
HALF_PHOTO_PSNR = 50.0  # dB to the CPU's float32, on photographs
HALF_OTHER_PSNR = 40.0  # noise has several times the range of photographs inside these networks
# Networks amplify rounding, some by far (SPAN: 40 times LKDN's). What rounding the image itself to half does to the CPU's result
# says by how much; the arithmetic of some dozens of layers may do this many times as much (LKDN: 23 to 37 dB, SPAN: 22 to 33).
ROUNDINGS = 45.0
# Half numbers below 1 lie up to 2**-11 apart and rounding moves some pixel of a noise image by a quarter of that at least; two
# ways of computing float32 differ by far less.
_HALF_SHOWS = 2.0**-13
PHOTO_COUNT = 4


@dataclass(frozen=True)
class ImageCheck:
    """One image on the GPU, compared with the CPU.

    Attributes:
        image: what it shows.
        finite: no NaN or infinity.
        constant: the GPU's image has one value where the CPU's has not.
        max_error: largest absolute difference, values in [0, 1]; None if not finite.
        psnr: dB between the two, peak 1; None if they are equal or it is not finite.
        rounded: largest absolute change of the CPU's result when the image is rounded to half precision.
        rounded_psnr: the same in dB; None if nothing changes.
    """

    image: str
    finite: bool
    constant: bool
    max_error: float | None
    psnr: float | None
    rounded: float
    rounded_psnr: float | None

    @property
    def allowed(self) -> float:
        """Largest difference to the CPU that single precision may have."""
        return max(SINGLE_TOLERANCE, ROUNDINGS * self.rounded * 2.0**-13)  # single precision has 13 bits more than half

    @property
    def needed(self) -> float:
        """Least dB to the CPU that half precision must have."""
        least = HALF_PHOTO_PSNR if self.image.startswith(_PHOTO_LIKE) else HALF_OTHER_PSNR
        return least if self.rounded_psnr is None else min(least, self.rounded_psnr - 20 * float(np.log10(ROUNDINGS)))


@dataclass(frozen=True)
class GpuCheck:
    """One device at one precision.

    Attributes:
        device: the adapter, as the engine names it.
        software: True if it is emulated on the CPU: its results count, its times do not.
        asked: "float32" (enforced) or "float16" (allowed).
        computed: what the outputs show: "float16" only if they differ from the enforced float32 as half numbers do.
        images: the checks.
        compile_s: seconds.
        run_s: seconds, the fastest run.
    """

    device: str
    software: bool
    asked: str
    computed: str
    images: tuple[ImageCheck, ...]
    compile_s: float
    run_s: float

    def problems(self) -> list[str]:
        """What is wrong, in words."""
        found = []
        for check in self.images:
            where = f"{self.computed} on {self.device}, {check.image}"
            if not check.finite:
                found.append(f"{where}: not finite")
            elif check.constant:
                found.append(f"{where}: a constant image")
            elif self.computed == "float32" and check.max_error is not None and check.max_error > check.allowed:
                found.append(f"{where}: differs from the CPU by {check.max_error:.2g}, {check.allowed:.2g} is allowed")
            elif self.computed == "float16" and check.psnr is not None and check.psnr < check.needed:
                found.append(f"{where}: {check.psnr:.1f} dB to the CPU, {check.needed:.3g} are needed")
        return found


@dataclass(frozen=True)
class GpuVerdict:
    """All devices; `refused` is the engine's word if it does not take the file whole."""

    refused: str | None
    checks: tuple[GpuCheck, ...]

    def problems(self) -> list[str]:
        """What is wrong, in words."""
        return [self.refused] if self.refused else [problem for check in self.checks for problem in check.problems()]

    def as_text(self) -> str:
        """A table."""
        if self.refused:
            return "GPU engine           refused"
        lines = []
        for check in self.checks:
            speed = ", software" if check.software else f", {check.run_s * 1000:.3g} ms a tile"
            lines.append(f"GPU engine           {check.device}{speed}: fully accelerated, {check.asked} asked, {check.computed} computed")
            lines += [f"  {c.image:18} {_image_line(c)}" for c in check.images]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Expected:
    """The CPU's result for an image, and the difference (largest, dB) that rounding the image to half makes to it."""

    output: np.ndarray
    rounded: tuple[float, float | None]

    @classmethod
    def of(cls, engine: CpuEngine, image: np.ndarray) -> "_Expected":
        output = engine.run(image)
        return cls(output, _difference(engine.run(image.astype(np.float16).astype(np.float32)), output))


def verify_on_gpu(engine: CpuEngine, photos: str | Path | None = None, time_limit_s: float = TIME_LIMIT_S) -> GpuVerdict:
    """Runs a file on this machine's GPU, or on every unpacked software device if it has none.

    Args:
        engine: the file on the CPU, float32 in and out.
        photos: folder of photos to take tiles from; without it dead leaves stand in for photographs.
        time_limit_s: seconds, of each of the engine's processes.

    Raises:
        ModelError: an integer file, no Vulkan device at all, a crash or the time limit.
        ImageError: no photo in the folder.
    """
    if {tensor.dtype for tensor in read_tflite(engine.path).tensors} & _INTEGERS:
        raise ModelError(f"{engine.path}: --gpu: a GPU computes an integer file in float: verify the float32 or float16 file instead")
    images = _images(*engine.tile, photos)
    expected = {name: _Expected.of(engine, image[0]) for name, image in images.items()}
    try:
        checks = _on_real_device(engine.path, images, expected, time_limit_s)
        if not checks:
            checks = [c for d in _installed() for c in _check(engine.path, d, images, expected, time_limit_s)]
    except GpuRefusal as refusal:
        return GpuVerdict(str(refusal).removeprefix(f"{engine.path}: "), ())
    return GpuVerdict(None, tuple(checks))


def _on_real_device(path: Path, images: dict, expected: dict, time_limit_s: float) -> list[GpuCheck]:
    """The checks on this machine's own GPU; empty if it has no driver or nothing behind it."""
    device = system_device()
    try:
        return _check(path, device, images, expected, time_limit_s) if device else []
    except NoVulkanDevice:
        return []


def _installed() -> tuple[VulkanDevice, ...]:
    devices = software_devices()
    if not devices:
        raise ModelError("--gpu: no Vulkan device here: run scripts/gpu_packages.sh, which unpacks software ones for Debian 12 and 13")
    return devices


def _images(height: int, width: int, photos: str | Path | None) -> dict[str, np.ndarray]:
    """Name -> (1, H, W, 3); noise comes first."""
    rng = np.random.default_rng(0)
    images = {
        "noise": rng.random((1, height, width, 3), dtype=np.float32),
        "flat grey": np.full((1, height, width, 3), 0.5, np.float32),
        "black": np.zeros((1, height, width, 3), np.float32),
    }
    if photos is None:
        return images | {"dead leaves": synthetic_images(height, width)[0]}
    return images | {f"photo {n}": crop for n, crop in enumerate(photo_crops(photos, height, width, PHOTO_COUNT), 1)}


def _check(path: Path, device: VulkanDevice, images: dict, expected: dict, time_limit_s: float) -> list[GpuCheck]:
    single = run_on_gpu(GpuJob(path, np.stack([*images.values()])), device, time_limit_s)
    checks = [_compare(single, "float32", "float32", images, expected)]
    # Whether the device has half precision shows on noise alone; only then are the other images worth their time.
    half = run_on_gpu(GpuJob(path, images["noise"][None], half=True), device, time_limit_s)
    if np.abs(half.outputs[0] - single.outputs[0]).max() < _HALF_SHOWS:
        return [*checks, _compare(half, "float16", "float32", ["noise"], expected)]
    half = run_on_gpu(GpuJob(path, np.stack([*images.values()]), half=True), device, time_limit_s)
    return [*checks, _compare(half, "float16", "float16", images, expected)]


def _compare(run: GpuRun, asked: str, computed: str, names: Iterable[str], expected: dict[str, _Expected]) -> GpuCheck:
    checks = tuple(_compare_image(name, output[0], expected[name]) for name, output in zip(names, run.outputs))
    return GpuCheck(run.device, run.software, asked, computed, checks, run.compile_s, min(run.run_s))


def _compare_image(name: str, output: np.ndarray, expected: _Expected) -> ImageCheck:
    if not np.isfinite(output).all():
        return ImageCheck(name, False, False, None, None, *expected.rounded)
    constant = bool(np.ptp(expected.output) > 0.01 and np.ptp(output) < 0.01 * np.ptp(expected.output))
    return ImageCheck(name, True, constant, *_difference(output, expected.output), *expected.rounded)


def _difference(a: np.ndarray, b: np.ndarray) -> tuple[float, float | None]:
    """(largest absolute difference, dB or None if equal)."""
    difference = np.abs(a.astype(np.float64) - b)
    mean_square = float((difference**2).mean())
    return float(difference.max()), -10 * float(np.log10(mean_square)) if mean_square else None


def _image_line(check: ImageCheck) -> str:
    if not check.finite:
        return "NOT FINITE"
    agreement = "equal to the CPU" if check.psnr is None else f"max error {check.max_error:.2g}, {check.psnr:.1f} dB to the CPU"
    return agreement + (", CONSTANT" if check.constant else "")


_PHOTO_LIKE = ("photo", "dead leaves")
_INTEGERS = {"int8", "uint8", "int16"}
