"""PSNR and SSIM of a model on a folder of images, as the papers measure them (`keras_models.metrics`)."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from conversion.source import ModelLike, ModelSource
from keras_models.data.bicubic import Rule
from keras_models.data.photo_files import Pair, TooSmallError, high_folder, list_pairs, names_of, read_pair
from keras_models.data.photo_formats import PHOTO_ENDINGS
from keras_models.metrics import SSIM_WINDOW, Quality, measure, to_uint8
from keras_models.system.errors import ImageError, ModelError, one_line
from keras_models.system.quiet import silenced

RULES: dict[str, Rule] = {"new": "newer", "old": "older"}
REPORT_VERSION = 2


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
        too_small: why photos that are sound have no scores, a line each.
        failed: why others have none, a line each.
        passed_over: what else lies in the folder, how many for which reason; empty if nothing does.
        notes: what a user should know of the model.
        version: of this schema.
    """

    model: str
    data: str
    scale: int
    low_res: str
    images: dict[str, Quality]
    mean: Quality
    too_small: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    passed_over: str = ""
    notes: tuple[str, ...] = ()
    version: int = REPORT_VERSION

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_text(self) -> str:
        """A table."""
        width = max(map(len, [*self.images, "mean"]))
        lines = [
            f"{self.model} on {self.data}, x{self.scale}, low-res: {self.low_res}",
            f"{'':{width}}  PSNR-Y   SSIM-Y  PSNR-RGB",
        ]
        for name, q in [*self.images.items(), ("mean", self.mean)]:
            lines.append(f"{name:{width}}  {q.psnr_y:6.3f}  {q.ssim_y:.5f}  {q.psnr_rgb:8.3f}")
        lines += [f"left out  {reason}" for reason in (*self.too_small, *self.failed)]
        lines += [f"passed over  {self.passed_over}"] if self.passed_over else []
        lines += [f"note  {note}" for note in self.notes]
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
        see: shown every image: name, low-res, high-res cropped to low-res size x scale, the model's result;
            uint8 RGB.

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
        raise ImageError(f"`bicubic` {bicubic}: give new or old")
    photos_in(data)  # an empty folder is refused before a model is opened
    predictor = ModelSource.of(model).predictor(threads)
    scale = predictor.scale
    pairs, listing = list_pairs(data, scale)
    scores: dict[str, Quality] = {}
    too_small: list[str] = []
    failed: list[str] = []
    for done, (name, pair) in enumerate(zip(names_of(pairs), pairs), 1):
        try:
            low, high = _read(pair, scale, RULES[bicubic])
        except TooSmallError as error:
            too_small.append(str(error))
        except ImageError as error:
            failed.append(str(error))
        else:
            result = to_uint8(_finite(predictor.run(low.astype(np.float32) / 255), predictor.name, name))
            scores[name] = measure(result, high, scale)
            see(name, low, high, result)
        progress(done, len(pairs))
    if not scores:
        reasons = failed + too_small
        raise ImageError(
            reasons[0]
            if len(reasons) == 1
            else f"{data}: none of {len(reasons)} photos has scores, the first: {reasons[0]}"
        )
    given = pairs[0].low
    low_res = f"LRx{scale}" if given else f"bicubic, {RULES[bicubic]} MATLAB rule"
    return Evaluation(
        predictor.name,
        str(data),
        scale,
        low_res,
        scores,
        mean_quality(scores.values()),
        tuple(too_small),
        tuple(failed),
        listing.said(),
        predictor.notes,
    )


def _finite(result: np.ndarray, model: str, name: str) -> np.ndarray:
    if not np.isfinite(result).all():
        raise ModelError(f"{model}: gives NaN or infinity for {name}: its weights are broken: export or convert it again")
    return result


def mean_quality(scores: Iterable[Quality]) -> Quality:
    """The average of each score, as the papers report it."""
    scores = list(scores)
    return Quality(
        *(float(np.mean([getattr(q, field) for q in scores])) for field in ("psnr_y", "ssim_y", "psnr_rgb"))
    )


def photos_in(data: str | Path) -> list[str]:
    """The names of the high-resolution images that `evaluate_model` takes from a folder, sorted.

    Raises:
        ImageError: no such folder, or no images in it.
    """
    data = Path(data)
    if not data.is_dir():
        raise ImageError(f"{data}: no such folder: give a folder with HR/ and LRxS/, or a folder of photos")
    pairs, listing = list_pairs(data, 1)
    if not pairs:
        over = f" ({listing.said()})" if listing.passed_over else ""
        raise ImageError(
            f"{high_folder(data)}: no images in it{over}: give HR/ and LRxS/, or photos: "
            f"{' '.join(PHOTO_ENDINGS)}"
        )
    return names_of(pairs)


def _read(pair: Pair, scale: int, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    """A pair that can be scored, whatever a decoder comes upon.

    Raises:
        ImageError: it cannot.
    """
    try:
        with silenced():  # libtiff speaks on standard error
            low, high = read_pair(pair, scale, rule)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"{pair.high}: cannot be read ({one_line(error)}): convert it to PNG") from None
    inside = min(high.shape[:2]) - 2 * scale
    if inside < SSIM_WINDOW:
        least = SSIM_WINDOW + 2 * scale
        raise TooSmallError(
            f"{pair.high}: {high.shape[1]}x{high.shape[0]} pixels: scores at x{scale} take "
            f"{least}x{least} or more"
        )
    return low, high
