"""What a teacher makes of the photos, computed once and kept: a second target that costs a step of training nothing.

A photo's result is a file of its own in the user's cache, so a killed run goes on where it was. The folder belongs to the photos'
fingerprint and to the teacher's weights; another teacher has another one.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from keras_models.base import SuperResolution
from keras_models.data.photo_set import Photo, PhotoSet, Progress
from keras_models.metrics import to_uint8
from keras_models.system.atomic_files import atomic_output, cache_folder, make_folder
from keras_models.system.errors import TrainingError
from keras_models.system.threads import on_all_cores

BAND_PIXELS = 1 << 16
"""Low-resolution pixels that the teacher computes at a time, besides what it looks at around them."""


def taught_photos(
    photos: PhotoSet, teacher: SuperResolution, cache: Path | str | None = None, progress: Progress | None = None
) -> PhotoSet:
    """The photos with what a teacher makes of their low-resolution sides.

    Args:
        photos: pairs.
        teacher: a network of the same scale.
        cache: folder for caches; default as for `load_photos`.
        progress: told about each photo.

    Returns:
        The same photos, each with `taught`: (h scale, w scale, 3) uint8 RGB.

    Raises:
        TrainingError: a teacher of another scale.
        OutputError: a full disk, a folder that cannot be written.

    Example:
        >>> import keras_models, tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from keras_models.data.taught_photos import taught_photos
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (64, 48), "teal").save(f"{folder}/a.png")
        ...     photos = keras_models.load_photos(Path(folder), 4, Path(folder) / "cache")
        ...     teacher = keras_models.LKDN.from_preset("lkdn-s-x4")
        ...     taught_photos(photos, teacher, Path(folder) / "cache").photos[0].taught.shape
        (48, 64, 3)
    """
    refuse_other_scale(teacher, photos.scale)
    folder = (Path(cache) if cache else cache_folder()) / f"taught-{photos.fingerprint[:16]}-{_digest(teacher)}"
    make_folder(folder)
    found: list[Photo] = []

    def kept(numbered: tuple[int, Photo]) -> Photo:
        number, photo = numbered
        return replace(photo, taught=_kept(photo, teacher, folder / f"{number}.npy"))

    for photo in on_all_cores(kept, enumerate(photos.photos)):
        found.append(photo)
        if progress:
            progress(len(found), len(photos.photos))
    return replace(photos, photos=tuple(found))


def refuse_other_scale(teacher: keras.Model, scale: int) -> None:
    """Raises a TrainingError for a teacher that does not enlarge by `scale`."""
    if getattr(teacher, "scale", None) != scale:
        raise TrainingError(f"teacher {teacher.name}: enlarges by {teacher.scale}, not {scale}: give one of that scale")


def _kept(photo: Photo, teacher: SuperResolution, path: Path) -> np.ndarray:
    if (known := _opened(path, photo.high.shape)) is not None:
        return known
    rows = np.concatenate(list(_rows(teacher, photo.low)))
    with atomic_output(path) as scratch, scratch.open("wb") as file:
        np.save(file, rows)
    return rows if (known := _opened(path, photo.high.shape)) is None else known


def _opened(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == shape and array.dtype == np.uint8 else None


def _rows(teacher: SuperResolution, low: np.ndarray) -> Iterator[np.ndarray]:
    """The teacher's result, band by band: (rows, w scale, 3) uint8. Each band sees all that its pixels depend on."""
    height, scale, margin = len(low), teacher.scale, teacher.receptive_radius
    band = max(1, BAND_PIXELS // low.shape[1])
    for top in range(0, height, band):
        bottom = min(top + band, height)
        first, last = max(0, top - margin), min(height, bottom + margin)
        image = low[None, first:last].astype(np.float32) / np.float32(255)
        made = keras.ops.convert_to_numpy(teacher(keras.ops.convert_to_tensor(image), training=False))[0]
        yield to_uint8(made[(top - first) * scale : (bottom - first) * scale])


def _digest(teacher: SuperResolution) -> str:
    digest = hashlib.sha256(json.dumps(teacher.get_config(), sort_keys=True, default=str).encode())
    for variable in teacher.variables:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).data.cast("B"))
    return digest.hexdigest()[:16]
