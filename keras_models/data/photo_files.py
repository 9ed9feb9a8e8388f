"""Photos on disk: what lies in a folder, what was passed over and why, and which low-resolution photo
belongs to which.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_models.data.bicubic import Rule, crop_to_multiple, shrink
from keras_models.data.photo_formats import is_photo_name
from keras_models.data.read_rgb import read_rgb
from keras_models.system.atomic_files import is_unfinished
from keras_models.system.errors import ImageError

_NAMED = 5
"""Names that a reason gives before it only counts."""


@dataclass(frozen=True)
class Listing:
    """What lies under a folder.

    Attributes:
        photos: the photos by their names' endings, sorted.
        passed_over: (path, reason) of everything else, in the order it was met.
    """

    photos: tuple[Path, ...]
    passed_over: tuple[tuple[Path, str], ...]

    def said(self) -> str:
        """One line: how many were passed over for which reason, and which; empty if none was."""
        names: dict[str, list[str]] = {}
        for path, reason in self.passed_over:
            names.setdefault(reason, []).append(path.name)
        return ", ".join(f"{len(found)} {reason} ({some_names(found)})" for reason, found in names.items())


def list_photos(folder: Path | str, leave_out: Path | None = None) -> Listing:
    """Lists the photos under a folder, subfolders included. Links to folders are not followed, hidden names
    are not taken.

    Args:
        folder: where to look.
        leave_out: a folder below it that is not searched, and not called passed over.

    Raises:
        ImageError: the folder itself is none, or cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"{folder}: no such folder: give a folder of photos")
    kept_out = os.path.realpath(leave_out) if leave_out else None
    photos: list[Path] = []
    over: list[tuple[Path, str]] = []

    def unreadable(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise ImageError(f"{folder}: cannot be read ({error.strerror}): make it readable")
        over.append((Path(error.filename), f"subfolder that cannot be read, {error.strerror}"))

    for place, folders, names in os.walk(folder, onerror=unreadable):
        here, to_enter = Path(place), []
        for name in sorted(folders):
            if kept_out is not None and os.path.realpath(here / name) == kept_out:
                continue
            reason = (
                "hidden"
                if name.startswith(".")
                else "link to a folder"
                if os.path.islink(here / name)
                else None
            )
            over += [(here / name, reason)] if reason else []
            to_enter += [] if reason else [name]
        folders[:] = to_enter
        for name in sorted(names):
            if is_unfinished(name):  # of a run that goes on, or was killed and is cleared away by the next
                continue
            reason = _why_no_photo(here / name)
            if reason is None:
                photos.append(here / name)
            else:
                over.append((here / name, reason))
    return Listing(tuple(sorted(photos)), tuple(over))


@dataclass(frozen=True)
class Pair:
    """A high-resolution photo and, if one is given, its low-resolution twin.

    Attributes:
        name: path under the folder, with slashes.
        high: the file.
        low: its twin; None where it is to be made.
    """

    name: str
    high: Path
    low: Path | None


def list_pairs(folder: Path | str, scale: int) -> tuple[list[Pair], Listing]:
    """The pairs of a folder of photos, or of one with `HR/` and `LRxS/` beside it; a twin has the same name,
    or NAMExS.

    Args:
        folder: as above.
        scale: the S.

    Returns:
        The pairs, sorted by name, and the listing of the folder that the high-resolution photos come from.

    Raises:
        ImageError: no such folder.
    """
    folder = Path(folder)
    home, low = high_folder(folder), folder / f"LRx{scale}"
    listing = list_photos(home)
    given = home != folder and low.is_dir()
    names = [path.relative_to(home) for path in listing.photos]
    twins = [_twin(low, name, scale) if given else None for name in names]
    return [
        Pair(name.as_posix(), high, twin) for name, high, twin in zip(names, listing.photos, twins)
    ], listing


def high_folder(folder: Path) -> Path:
    """Where the high-resolution photos of a folder lie: in its `HR/` if it has one."""
    return folder / "HR" if (folder / "HR").is_dir() else folder


def read_pair(pair: Pair, scale: int, rule: Rule = "newer") -> tuple[np.ndarray, np.ndarray]:
    """Reads a pair; the low-resolution side is shrunk from the other where none is given.

    Args:
        pair: of `list_pairs`.
        scale: of the pair.
        rule: MATLAB's rule for shrinking.

    Returns:
        (h, w, 3) and (h * scale, w * scale, 3) uint8 RGB.

    Raises:
        TooSmallError: the photo is smaller than one low-resolution pixel.
        ImageError: a photo cannot be read, the twin is missing, or the two are not of this scale.
    """
    if pair.low and not pair.low.is_file():
        raise ImageError(
            f"{pair.high}: there is no {pair.low.parent.name}/{pair.low.name}: give the low-res image "
            "the same name"
        )
    high = read_rgb(pair.high)
    if pair.low is None:
        high = crop_to_multiple(high, scale)
        if not high.size:
            raise TooSmallError(
                f"{pair.high}: smaller than one low-res pixel: leave it out, or give a larger one"
            )
        return shrink(high, scale, rule), high
    low = read_rgb(pair.low)
    size = low.shape[0] * scale, low.shape[1] * scale
    if any(not 0 <= have - need < scale for have, need in zip(high.shape, size)):
        sizes = f"{high.shape[1]}x{high.shape[0]}, its low-res image {low.shape[1]}x{low.shape[0]}"
        raise ImageError(f"{pair.high}: {sizes}: not x{scale}: give matching pairs")
    return low, high[: size[0], : size[1]]


class TooSmallError(ImageError):
    """A photo that is sound, and too small for what is asked."""


def names_of(pairs: Sequence[Pair]) -> list[str]:
    """The pairs' names without their endings; with them where two would be one."""
    short = [os.path.splitext(pair.name)[0] for pair in pairs]
    return short if len(set(short)) == len(short) else [pair.name for pair in pairs]


def _twin(low: Path, name: Path, scale: int) -> Path:
    """The first of the names that is there; the first of all if none is."""
    names = (name, name.with_name(f"{name.stem}x{scale}{name.suffix}"))
    return next((low / n for n in names if (low / n).is_file()), low / names[0])


def _why_no_photo(path: Path) -> str | None:
    if path.name.startswith("."):
        return "hidden"
    if not is_photo_name(path.name):
        return "whose ending is no photo's"
    try:
        return None if stat.S_ISREG(path.stat().st_mode) else "that is a device or a pipe"
    except OSError as error:
        return f"that cannot be looked at, {error.strerror}"


def some_names(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
