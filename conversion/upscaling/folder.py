"""Upscaling a folder of photos into a folder with the same tree."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from conversion.engines.base import Engine
from conversion.upscaling.image_writers import check_writable
from conversion.upscaling.images import IMAGE_SUFFIXES, ImageKind, ImageReader
from conversion.upscaling.pipeline import Progress, UpscaleOptions, plan_file, refuse_large_factor, upscale_file
from keras_models.system.atomic_files import make_folder
from keras_models.system.errors import ImageError, MobileSRError


@dataclass(frozen=True)
class FolderResult:
    """What became of a folder.

    Attributes:
        done: outputs written.
        skipped: outputs that were there already.
        failed: (input, reason) of every photo that could not be upscaled.
    """

    done: tuple[Path, ...]
    skipped: tuple[Path, ...]
    failed: tuple[tuple[Path, str], ...]


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
        target: folder to write the same tree of files into; made if missing. Outputs that exist are skipped unless `options.overwrite`.
        engine: the network.
        options: how; None for the defaults.
        suffix: ending of the outputs, which names their format.
        progress: called with (tiles done, tiles in all) over the whole folder.

    Returns:
        What was done, skipped and what failed.

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
    inputs = find_images(source, leave_out=target)
    pairs = list(zip(inputs, _outputs(inputs, source, target, suffix)))
    skipped = [output for _, output in pairs if os.path.exists(output) and not options.overwrite]
    to_do = [pair for pair in pairs if pair[1] not in set(skipped)]
    tiles = [_count_tiles(photo, engine, options) for photo, _ in to_do]
    total, before = sum(tiles), 0
    done, failed = [], []
    for (photo, output), count in zip(to_do, tiles):
        try:
            make_folder(output.parent)
            upscale_file(photo, output, engine, options, _shifted(progress, before, total))
            done.append(output)
        except MobileSRError as error:
            failed.append((photo, str(error)))
        before += count
        if progress:
            progress(before, total)
    return FolderResult(tuple(done), tuple(skipped), tuple(failed))


def find_images(folder: Path, leave_out: Path | None = None) -> list[Path]:
    """List the photos under a folder by their names' endings, sorted.

    Args:
        folder: where to look, subfolders included.
        leave_out: a folder below it that is not searched.

    Returns:
        Paths, sorted.

    Raises:
        ImageError: the folder cannot be read or has no photo.
    """
    leave_out = leave_out.resolve() if leave_out else None
    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=_refuse_folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and (Path(place) / name).resolve() != leave_out)
        found += [Path(place) / name for name in names if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise ImageError(f"{folder}: no images in this folder: give one with {' '.join(IMAGE_SUFFIXES)} files")
    return sorted(found)


def _refuse_folder(error: OSError) -> None:
    raise ImageError(f"{error.filename}: cannot be read ({error.strerror}): make it readable, or move it out of the folder")


def _outputs(inputs: list[Path], source: Path, target: Path, suffix: str) -> list[Path]:
    """Name the outputs: a.jpg becomes a.png, but where a.tif lies beside it they become a.jpg.png and a.tif.png."""
    short = [target / photo.relative_to(source).with_suffix(suffix) for photo in inputs]
    # Compared without case: on many file systems A.png and a.png are one file.
    count = Counter(str(path).casefold() for path in short)
    long = [target / photo.relative_to(source).with_name(photo.name + suffix) for photo in inputs]
    names = [few if count[str(few).casefold()] == 1 else many for few, many in zip(short, long)]
    twice = [name for name, number in Counter(str(path).casefold() for path in names).items() if number > 1]
    if twice:
        raise ImageError(f"{source}: several inputs would become {twice[0]}: rename one of them")
    return names


def _count_tiles(photo: Path, engine: Engine, options: UpscaleOptions) -> int:
    """Count a photo's tiles; none for a photo that cannot be read, which is said when its turn comes."""
    try:
        return engine.passes * len(plan_file(ImageReader(photo, options.max_megapixels).kind, engine, options))
    except ImageError:
        return 0


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    return None if progress is None else (lambda done, _: progress(before + done, total))
