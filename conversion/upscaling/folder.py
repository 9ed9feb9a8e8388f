"""Upscaling a folder of photos into a folder with the same tree."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from conversion.engines.base import Engine
from conversion.upscaling.image_writers import check_writable
from conversion.upscaling.images import ImageKind
from conversion.upscaling.many import ManyResult, upscale_many
from conversion.upscaling.pipeline import Progress, UpscaleOptions, refuse_large_factor
from keras_models.data.photo_files import Listing, list_photos
from keras_models.data.photo_formats import PHOTO_ENDINGS
from keras_models.system.errors import ImageError


@dataclass(frozen=True)
class FolderResult(ManyResult):
    """What became of a folder.

    Attributes:
        passed_over: how many files were no photos by their names, or could not be looked at, why, and which;
            empty if there were none.
    """

    passed_over: str = ""


def upscale_folder(
    source: Path,
    target: Path,
    engine: Engine,
    options: UpscaleOptions | None = None,
    suffix: str = ".png",
    progress: Progress | None = None,
) -> FolderResult:
    """Upscale every photo under a folder; one that fails does not stop the others.

    Args:
        source: folder, searched with its subfolders; hidden files and links to folders are left out.
        target: folder to write the same tree of files into; made if missing. Outputs that exist are skipped
            unless `options.overwrite`.
        engine: the network.
        options: how; None for the defaults.
        suffix: ending of the outputs, which names their format.
        progress: called with (tiles done, tiles in all) over the whole folder.

    Returns:
        What was done, skipped, passed over and what failed.

    Raises:
        ImageError: there is no photo, or the target is the source or a file.
        MobileSRError: an option does not fit the engine or the format.
    """
    options = options or UpscaleOptions()
    source, target = Path(source), Path(target)
    if target.exists() and target.samefile(source):
        raise ImageError(f"{target}: would write into the input folder itself: give another output folder")
    if target.exists() and not target.is_dir():
        raise ImageError(f"{target}: is a file: give an output folder")
    refuse_large_factor(options, engine.scale)
    check_writable(target / f"any{suffix}", ImageKind(1, 1, 3, False, 8), options.quality)
    listing = photos_under(source, leave_out=target)
    pairs = list(zip(listing.photos, _outputs(listing.photos, source, target, suffix)))
    result = upscale_many(pairs, engine, options, progress)
    return FolderResult(result.done, result.skipped, result.failed, result.notes, listing.said())


def photos_under(folder: Path, leave_out: Path | None = None) -> Listing:
    """The photos under a folder, at least one.

    Args:
        folder: where to look, subfolders included.
        leave_out: a folder below it that is not searched.

    Raises:
        ImageError: the folder cannot be read or has no photo.
    """
    listing = list_photos(folder, leave_out)
    if not listing.photos:
        over = f" ({listing.said()})" if listing.passed_over else ""
        raise ImageError(
            f"{folder}: no images in this folder{over}: give one with {' '.join(PHOTO_ENDINGS)} files"
        )
    return listing


def _outputs(inputs: tuple[Path, ...], source: Path, target: Path, suffix: str) -> list[Path]:
    """Name the outputs: a.jpg becomes a.png, but where a.tif lies beside it they become a.jpg.png and
    a.tif.png, and A.jpg beside a.jpg becomes a.jpg.2.png.
    """
    short = [target / photo.relative_to(source).with_suffix(suffix) for photo in inputs]
    # Compared without case: on many file systems A.png and a.png are one file.
    count = Counter(str(path).casefold() for path in short)
    long = [target / photo.relative_to(source).with_name(photo.name + suffix) for photo in inputs]
    names: list[Path] = []
    given: Counter[str] = Counter()
    for few, many in zip(short, long):
        name = few if count[str(few).casefold()] == 1 else many
        given[str(name).casefold()] += 1
        number = given[str(name).casefold()]
        names.append(name if number == 1 else name.with_name(f"{name.stem}.{number}{suffix}"))
    twice = [name for name, number in Counter(str(path).casefold() for path in names).items() if number > 1]
    if twice:
        raise ImageError(f"{source}: several inputs would become {twice[0]}: rename one of them")
    return names
