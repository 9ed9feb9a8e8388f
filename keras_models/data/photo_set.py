"""A folder of photos as (low-res, high-res) pairs: decoded and shrunk once, cached in one file, mapped into memory.

Two kinds of folder: photos of any size (the low-res side is made by MATLAB's newer bicubic rule), or `HR/` with
`LRx2|LRx3|LRx4/` beside it, same file names. The cache is never written into the photos' folder. It belongs to the
list of (name, size, modification time), the scale and the rule, is renamed into place when complete, and its checksum is
verified when it is opened: a stale, half-written or damaged one is made again.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from keras_models.data.bicubic import crop_to_multiple, shrink
from keras_models.system.atomic_files import cache_folder
from keras_models.system.errors import ImageError, TrainingError, one_line

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
MAX_PIXELS = 50_000_000
"""Of a photo that is decoded whole, to train or measure with; `upscale`, which reads by rows, has a limit of its own."""
_VERSION = 2
_INDEX, _PIXELS = "index.json", "pixels.bin"
_WORKERS = 2

warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd metadata, in the middle of the progress bar

Progress = Callable[[int, int], None]
"""Called with (photos done, photos in all)."""


@dataclass(frozen=True)
class Photo:
    """One pair: `low` (h, w, 3) uint8 RGB and `high` (h scale, w scale, 3) uint8 RGB, read-only views."""

    name: str
    low: np.ndarray
    high: np.ndarray


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
    sources = list(_sources(folder, scale))
    if not sources:
        raise TrainingError(f"{folder}: no photos in it: give a folder with files that end in {', '.join(sorted(SUFFIXES))}")
    home = Path(cache) if cache else cache_folder()
    place = hashlib.sha256(f"{folder.resolve()}|x{scale}|newer".encode()).hexdigest()[:16]
    target = home / f"photos-{place}-{_listing_digest(sources)}"
    found = _open(folder, scale, target)
    if found is None:
        try:
            _make(sources, scale, target, progress)
        except OSError as error:
            raise TrainingError(
                f"{target}: the photos' cache cannot be written ({error.strerror or error}): make room or give another place with --cache"
            ) from None
        _forget_stale(home, place, target)
        found = _open(folder, scale, target)
    if found is None:
        raise TrainingError(f"{target}: the photos' cache does not read back as written: check that disk, or give another --cache")
    if not found.photos:
        raise TrainingError(f"{folder}: none of its {len(sources)} photos can be used, the first: {found.skipped[0]}")
    return found


@dataclass(frozen=True)
class _Source:
    name: str
    high: Path
    low: Path | None


def _sources(folder: Path, scale: int) -> Iterator[_Source]:
    low = folder / f"LRx{scale}"
    if (folder / "HR").is_dir():
        if not low.is_dir():
            raise TrainingError(f"{folder}: has HR/ but no LRx{scale}/: add it, or give {folder / 'HR'} to have the low-res side made")
        for path in _images(folder / "HR"):
            name = path.relative_to(folder / "HR")
            yield _Source(name.as_posix(), path, low / name)
    else:
        for path in _images(folder):
            yield _Source(path.relative_to(folder).as_posix(), path, None)


def _images(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _listing_digest(sources: Iterable[_Source]) -> str:
    digest = hashlib.sha256(str(_VERSION).encode())
    for source in sources:
        for path in filter(None, (source.high, source.low)):
            status = path.stat() if path.is_file() else None
            digest.update(f"{path.name}|{source.name}|{status and (status.st_size, status.st_mtime_ns)}\n".encode())
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


def _make(sources: list[_Source], scale: int, target: Path, progress: Progress | None) -> None:
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


def _write(sources: list[_Source], scale: int, work: Path, progress: Progress | None) -> None:
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
                digest.update(f"{source.name}|{low.shape}|{crc}\n".encode())
            if progress:
                progress(done, len(sources))
        file.flush()
        os.fsync(file.fileno())
    index = {"version": _VERSION, "bytes": start, "crc32": crc, "fingerprint": digest.hexdigest(), "photos": entries, "skipped": skipped}
    (work / _INDEX).write_text(json.dumps(index))


def _ahead(pool: ThreadPoolExecutor, sources: list[_Source], scale: int) -> Iterator[tuple[_Source, tuple[np.ndarray, np.ndarray] | str]]:
    """Decoded pairs in order, a few ahead of the writer and no more, so that memory stays flat."""
    running = []
    for source in sources:
        running.append((source, pool.submit(_decode, source, scale)))
        if len(running) > 2 * _WORKERS:
            first, future = running.pop(0)
            yield first, future.result()
    for source, future in running:
        yield source, future.result()


def _decode(source: _Source, scale: int) -> tuple[np.ndarray, np.ndarray] | str:
    """(low, high) of one source, or why it cannot be used."""
    if source.low and not source.low.is_file():
        return f"there is no {source.low.parent.name}/{source.low.name}"
    try:
        high = read_rgb(source.high)
        low = read_rgb(source.low) if source.low else None
    except ImageError as error:
        return str(error).removeprefix(f"{source.high}: ").removeprefix(f"{source.low}: ")
    if low is None:
        high = crop_to_multiple(high, scale)
        return (shrink(high, scale), high) if high.size else "smaller than one low-res pixel"
    height, width = low.shape[0] * scale, low.shape[1] * scale
    if high.shape[0] < height or high.shape[1] < width:
        return f"its LRx{scale} file is {low.shape[1]}x{low.shape[0]}, too large for {high.shape[1]}x{high.shape[0]} pixels"
    return low, high[:height, :width]


def read_rgb(path: Path) -> np.ndarray:
    """A photo as (H, W, 3) uint8 RGB, turned as its EXIF orientation says; grey becomes R = G = B, alpha is dropped.

    Raises:
        ImageError: not a photo, damaged, of more than `MAX_PIXELS`, or with pixels of 32 bits.
    """
    with opened_photo(path) as image:
        return _rgb(ImageOps.exif_transpose(image))


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16"):  # Pillow's own conversion cuts off at 255
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=-1)
    if image.mode in ("I", "F"):
        raise ValueError("pixels of 32 bits, whose white is not known")
    return np.asarray(image.convert("RGB"))


@contextlib.contextmanager
def opened_photo(path: Path) -> Iterator[Image.Image]:
    """Yields Pillow's image; what Pillow raises inside of the block becomes one error.

    Raises:
        ImageError: not a photo, damaged, or of more than `MAX_PIXELS`, which is seen before a pixel is decoded.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width}x{image.height} pixels, {MAX_PIXELS // 10**6} megapixels are the most")
            yield image
    except FileNotFoundError:
        raise ImageError(f"{path}: no such photo: check the path") from None
    except Exception as error:  # Pillow's decoders meet damage with any of a dozen types
        raise ImageError(f"{path}: cannot be read ({one_line(error, 120)}): convert it to PNG") from None


def _checksum(pixels: np.ndarray, chunk: int = 1 << 24) -> int:
    crc = 0
    for start in range(0, len(pixels), chunk):
        crc = zlib.crc32(pixels[start : start + chunk].data, crc)
    return crc


def _forget_stale(home: Path, place: str, keep: Path) -> None:
    for old in home.glob(f"photos-{place}-*"):
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)
