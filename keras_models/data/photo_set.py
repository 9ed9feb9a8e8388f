"""A folder of photos as (low-res, high-res) pairs: decoded and shrunk once, cached in one file, mapped into memory.

Two kinds of folder: photos of any size (the low-res side is made by MATLAB's newer bicubic rule), or `HR/` with
`LRx2|LRx3|LRx4/` beside it, same file names. The cache is never written into the photos' folder. It belongs to the
list of (name, size, modification time), the scale and the rule, is renamed into place when complete, and its checksum is
verified when it is opened: a stale, half-written or damaged one is made again.
"""

import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_models.data.photo_files import Pair, list_pairs, read_pair
from keras_models.data.photo_formats import PHOTO_ENDINGS
from keras_models.system.atomic_files import cache_folder
from keras_models.system.errors import ImageError, MobileSRError, TrainingError, one_line

_VERSION = 3
_INDEX, _PIXELS = "index.json", "pixels.bin"
_WORKERS = 2

Progress = Callable[[int, int], None]
"""Called with (photos done, photos in all)."""


@dataclass(frozen=True)
class Photo:
    """One pair: `low` (h, w, 3) uint8 RGB and `high` (h scale, w scale, 3) uint8 RGB, read-only views.

    `taught` is what a teacher makes of `low` (`keras_models.data.taught_photos`), None without one.
    """

    name: str
    low: np.ndarray
    high: np.ndarray
    taught: np.ndarray | None = None


@dataclass(frozen=True)
class PhotoSet:
    """The pairs of a folder.

    Attributes:
        folder: where they came from.
        scale: high-res over low-res pixels.
        photos: sorted by name.
        skipped: one line per file that could not be used.
        fingerprint: hex digest of names and pixels, the same wherever and whenever the files were copied.

    Example:
        >>> import keras_models, numpy, tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (64, 48), "teal").save(f"{folder}/a.png")
        ...     photos = keras_models.load_photos(Path(folder), 4, Path(folder) / "cache")
        ...     photos.photos[0].low.shape
        (12, 16, 3)
    """

    folder: Path
    scale: int
    photos: tuple[Photo, ...]
    skipped: tuple[str, ...]
    fingerprint: str

    @property
    def taught(self) -> bool:
        """Whether a teacher's results are beside the photos."""
        return all(photo.taught is not None for photo in self.photos)


def load_photos(folder: Path | str, scale: int, cache: Path | str | None = None, progress: Progress | None = None) -> PhotoSet:
    """Opens a folder of photos, making its cache if need be.

    Args:
        folder: photos (searched recursively), or `HR/` and `LRxS/`.
        scale: 2, 3 or 4.
        cache: folder for caches; default `$XDG_CACHE_HOME/mobile-sr` or `~/.cache/mobile-sr`.
        progress: told about each photo while the cache is made.

    Raises:
        TrainingError: no such folder, no usable photo in it, or a cache that cannot be written.

    Example:
        >>> import keras_models, tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (64, 48), "teal").save(f"{folder}/a.png")
        ...     keras_models.load_photos(folder, 4, Path(folder) / "cache").scale
        4
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise TrainingError(f"{folder}: no such folder: give a folder of photos")
    if (folder / "HR").is_dir() and not (folder / f"LRx{scale}").is_dir():
        raise TrainingError(f"{folder}: has HR/ but no LRx{scale}/: add it, or give {folder / 'HR'} to have the low-res side made")
    try:
        sources, listing = list_pairs(folder, scale)
    except ImageError as error:
        raise TrainingError(str(error)) from None
    if not sources:
        over = listing.said()
        what = f" ({over})" if over else ""
        raise TrainingError(f"{folder}: no photos in it{what}: give a folder with files that end in {', '.join(PHOTO_ENDINGS)}")
    home = Path(cache) if cache else cache_folder()
    place = hashlib.sha256(f"{folder.resolve()}|x{scale}|newer".encode()).hexdigest()[:16]
    target = home / f"photos-{place}-{_listing_digest(sources)}"
    found = _open(folder, scale, target)
    if found is None:
        try:
            _make(sources, scale, target, progress)
        except OSError as error:
            raise TrainingError(
                f"{target}: the photos' cache cannot be written ({error.strerror or error}): make room or give another place with `cache`"
            ) from None
        _forget_stale(home, place, target)
        found = _open(folder, scale, target)
    if found is None:
        raise TrainingError(f"{target}: the photos' cache does not read back as written: check that disk, or give another `cache`")
    lost = tuple(f"{path}: {reason}" for path, reason in listing.passed_over if "cannot be" in reason)
    found = replace(found, skipped=found.skipped + lost)
    if not found.photos:
        raise TrainingError(f"{folder}: none of its {len(sources)} photos can be used, the first: {found.skipped[0]}")
    return found


def _listing_digest(sources: Iterable[Pair]) -> str:
    digest = hashlib.sha256(str(_VERSION).encode())
    for source in sources:
        for path in filter(None, (source.high, source.low)):
            status = path.stat() if path.is_file() else None
            digest.update(f"{path.name}|{source.name}|{status and (status.st_size, status.st_mtime_ns)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _open(folder: Path, scale: int, target: Path) -> PhotoSet | None:
    """The set in a cache folder, None unless it is complete and its checksum holds."""
    try:
        index = json.loads((target / _INDEX).read_text())
        if index["version"] != _VERSION or (target / _PIXELS).stat().st_size != index["bytes"]:
            return None
        pixels = np.memmap(target / _PIXELS, np.uint8, "r") if index["bytes"] else np.zeros(0, np.uint8)
        if _checksum(pixels) != index["crc32"]:
            return None
        photos = tuple(_photo(entry, pixels, scale) for entry in index["photos"])
        return PhotoSet(folder, scale, photos, tuple(index["skipped"]), index["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _photo(entry: dict, pixels: np.ndarray, scale: int) -> Photo:
    height, width, start = entry["height"], entry["width"], entry["start"]
    middle = start + height * width * 3
    end = middle + height * width * 3 * scale**2
    high = pixels[middle:end].reshape(height * scale, width * scale, 3)
    return Photo(entry["name"], pixels[start:middle].reshape(height, width, 3), high)


def _make(sources: Sequence[Pair], scale: int, target: Path, progress: Progress | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="making-") as scratch:
        work = Path(scratch) / "photos"
        work.mkdir()
        _write(sources, scale, work, progress)
        shutil.rmtree(target, ignore_errors=True)
        try:
            work.rename(target)
        except OSError:
            if not (target / _INDEX).is_file():  # otherwise another process was faster, with the same content
                raise


def _write(sources: Sequence[Pair], scale: int, work: Path, progress: Progress | None) -> None:
    entries, skipped, crc, start = [], [], 0, 0
    digest = hashlib.sha256()
    with (work / _PIXELS).open("wb") as file, ThreadPoolExecutor(_WORKERS) as pool:
        for done, (source, result) in enumerate(_ahead(pool, sources, scale), 1):
            if isinstance(result, str):
                skipped.append(f"{source.name}: {result}")
            else:
                low, high = result
                entry = {"name": source.name, "height": low.shape[0], "width": low.shape[1], "start": start}
                for part in (low, high):
                    data = np.ascontiguousarray(part).data.cast("B")
                    file.write(data)
                    crc, start = zlib.crc32(data, crc), start + len(data)
                entries.append(entry)
                digest.update(f"{source.name}|{low.shape}|{crc}\n".encode(errors="surrogateescape"))
            if progress:
                progress(done, len(sources))
        file.flush()
        os.fsync(file.fileno())
    index = {"version": _VERSION, "bytes": start, "crc32": crc, "fingerprint": digest.hexdigest(), "photos": entries, "skipped": skipped}
    (work / _INDEX).write_text(json.dumps(index))


def _ahead(pool: ThreadPoolExecutor, sources: Sequence[Pair], scale: int) -> Iterator[tuple[Pair, tuple[np.ndarray, np.ndarray] | str]]:
    """Decoded pairs in order, a few ahead of the writer and no more, so that memory stays flat."""
    running = []
    for source in sources:
        running.append((source, pool.submit(_decode, source, scale)))
        if len(running) > 2 * _WORKERS:
            first, future = running.pop(0)
            yield first, future.result()
    for source, future in running:
        yield source, future.result()


def _decode(source: Pair, scale: int) -> tuple[np.ndarray, np.ndarray] | str:
    """(low, high) of one pair, or why it cannot be used."""
    try:
        return read_pair(source, scale)
    except MobileSRError as error:
        return str(error).removeprefix(f"{source.high}: ").removeprefix(f"{source.low}: ")
    except Exception as error:  # one photo's failure is that photo's, whatever a decoder has come upon
        return f"cannot be read ({one_line(error)})"


def _checksum(pixels: np.ndarray, chunk: int = 1 << 24) -> int:
    crc = 0
    for start in range(0, len(pixels), chunk):
        crc = zlib.crc32(pixels[start : start + chunk].data, crc)
    return crc


def _forget_stale(home: Path, place: str, keep: Path) -> None:
    for old in home.glob(f"photos-{place}-*"):
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)
