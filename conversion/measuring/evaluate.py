"""PSNR and SSIM of a model on a folder of images, as the papers measure them (`keras_models.metrics`)."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from conversion.source import ModelLike, ModelSource
from keras_models.data.bicubic import Rule, crop_to_multiple, shrink
from keras_models.data.photo_set import SUFFIXES, read_rgb
from keras_models.metrics import Quality, measure, to_uint8
from keras_models.system.errors import ImageError
from keras_models.system.quiet import silenced

RULES: dict[str, Rule] = {"new": "newer", "old": "older"}
REPORT_VERSION = 1


@dataclass(frozen=True)
class Evaluation:
    """Scores of one model on one folder.

    Attributes:
        model: as given.
        data: the folder.
        scale: upscaling factor.
        low_res: where the low-resolution images come from: "LRx4" or "bicubic, newer MATLAB rule".
        images: name -> PSNR-Y (dB), SSIM-Y, PSNR-RGB (dB).
        mean: the averages.
        version: of this schema.
    """

    model: str
    data: str
    scale: int
    low_res: str
    images: dict[str, Quality]
    mean: Quality
    version: int = REPORT_VERSION

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_text(self) -> str:
        """A table."""
        width = max(map(len, [*self.images, "mean"]))
        lines = [f"{self.model} on {self.data}, x{self.scale}, low-res: {self.low_res}", f"{'':{width}}  PSNR-Y   SSIM-Y  PSNR-RGB"]
        for name, q in [*self.images.items(), ("mean", self.mean)]:
            lines.append(f"{name:{width}}  {q.psnr_y:6.3f}  {q.ssim_y:.5f}  {q.psnr_rgb:8.3f}")
        return "\n".join(lines)


def evaluate_model(
    model: ModelLike,
    data: str | Path,
    bicubic: str = "new",
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    see: Callable[[str, np.ndarray, np.ndarray, np.ndarray], None] = lambda name, low, high, result: None,
) -> Evaluation:
    """Upscales every low-resolution image of a folder and compares with the high-resolution one.

    Args:
        model: anything that `ModelSource.of` takes.
        data: a folder with `HR/` and, if given, `LRxS/`; or a folder of photos.
        bicubic: "new" or "old" MATLAB rule, for low-resolution images that are not given.
        threads: of a .tflite or .onnx.
        progress: told (done, total) after every image.
        see: shown every image: name, low-res, high-res cropped to low-res size x scale, the model's result; uint8 RGB.

    Raises:
        MobileSRError: the model or an image cannot be read, an image has no pair, or there are no images.

    Example:
        >>> import conversion, tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.radial_gradient("L").convert("RGB").save(f"{folder}/a.png")
        ...     conversion.evaluate("lkdn-s-x4", folder).mean.psnr_y > 40
        True
    """
    if bicubic not in RULES:
        raise ImageError(f"--bicubic {bicubic}: give new or old")
    photos = photos_in(data)
    predictor = ModelSource.of(model).predictor(threads)
    scores: dict[str, Quality] = {}
    given = Path(data) / f"LRx{predictor.scale}"
    for name, low, high in _pairs(photos, given, predictor.scale, RULES[bicubic]):
        result = to_uint8(predictor.run(low.astype(np.float32) / 255))
        scores[name] = measure(result, high, predictor.scale)
        see(name, low, high, result)
        progress(len(scores), len(photos))
    low_res = given.name if given.is_dir() else f"bicubic, {RULES[bicubic]} MATLAB rule"
    return Evaluation(predictor.name, str(data), predictor.scale, low_res, scores, mean_quality(scores.values()))


def mean_quality(scores: Iterable[Quality]) -> Quality:
    """The average of each score, as the papers report it."""
    scores = list(scores)
    return Quality(*(float(np.mean([getattr(q, field) for q in scores])) for field in ("psnr_y", "ssim_y", "psnr_rgb")))


def photos_in(data: str | Path) -> list[Path]:
    """The high-resolution images that `evaluate_model` takes from a folder, sorted.

    Raises:
        ImageError: no such folder, no images in it, or two that differ in their endings alone.
    """
    data = Path(data)
    if not data.is_dir():
        raise ImageError(f"{data}: no such folder: give a folder with HR/ and LRxS/, or a folder of photos")
    folder = data / "HR" if (data / "HR").is_dir() else data
    photos = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not photos:
        raise ImageError(f"{folder}: no images in it: give a folder with HR/ and LRxS/, or a folder of photos")
    twice = [name for name, count in Counter(path.stem for path in photos).items() if count > 1]
    if twice:
        raise ImageError(f"{folder}: several images are called {twice[0]}: rename one of them")
    return photos


def _pairs(photos: list[Path], given: Path, scale: int, rule: Rule) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, low-res, high-res cropped to low-res size x scale), uint8 RGB; the low-res is made where none is given."""
    for path in photos:
        high = _read(path)
        low = _read(_partner(given, path, scale)) if given.is_dir() else shrink(crop_to_multiple(high, scale), scale, rule)
        height, width = low.shape[0] * scale, low.shape[1] * scale
        if high.shape[0] < height or high.shape[1] < width:
            raise ImageError(f"{path}: {high.shape[1]}x{high.shape[0]} is smaller than its low-res image x{scale}: give matching pairs")
        yield path.stem, low, high[:height, :width]


def _partner(folder: Path, photo: Path, scale: int) -> Path:
    for name in (photo.name, f"{photo.stem}x{scale}{photo.suffix}"):
        if (folder / name).is_file():
            return folder / name
    raise ImageError(f"{folder}: no low-res image for {photo.name}: give it the same name")


def _read(path: Path) -> np.ndarray:
    with silenced():  # libtiff speaks on standard error
        return read_rgb(path)
