"""What a .tflite is run on: inputs by kind and seed, from files, or tiles of photos where its input is an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from conversion.calibration_images import photo_crops, photo_like_images
from conversion.tflite.check import parse_checked, read_checked
from conversion.tflite.fixed import at_shapes
from conversion.tflite.made_inputs import KINDS, Wanted, fixed_shapes, made_feed, read_feeds, wanted_inputs
from keras_models.system.errors import ModelError

PHOTO_COUNT = 2
_FILES = (".npy", ".npz")


@dataclass(frozen=True)
class Fed:
    """What a file is to be run on.

    Attributes:
        inputs: kinds of `KINDS`, and paths of .npy or .npz files; without any, "uniform", and "normal" beside it or, where the file takes
            one image, dead leaves, which are like photographs.
        seed: of the kinds.
        shapes: input's name -> shape, of those that are free.
        photos: folder of photos, whose tiles are inputs more.
    """

    inputs: Sequence[str] = ()
    seed: int = 0
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    photos: str | Path | None = None


def feeds_of(path: str | Path, fed: Fed) -> tuple[bytes, dict[str, dict[int, np.ndarray]]]:
    """A file at fixed sizes and what to run it on.

    Args:
        path: a .tflite.
        fed: what on.

    Returns:
        The file's bytes, every size fixed if one was free; what an input is called -> index of a tensor -> value.

    Raises:
        ModelError: an unknown kind, a file that does not fit, a free size, or photos for what takes no image.
        ImageError: no photo in the folder.
    """
    data, model = read_checked(path)
    wanted = wanted_inputs(model)
    fixed, feeds = made_feeds(wanted, fed, path)
    return _at(data, wanted, fixed, path), feeds


def made_feeds(wanted: Sequence[Wanted], fed: Fed, path: str | Path) -> tuple[list[tuple[int, ...]], dict[str, dict[int, np.ndarray]]]:
    """As `feeds_of`, of any model's inputs: the shapes that they have, and what an input is called -> index -> value."""
    inputs = fed.inputs
    if not wanted:
        raise ModelError(f"{path}: it has no inputs: there is nothing to run it on")
    files = [Path(name) for name in inputs if name.lower().endswith(_FILES)]
    kinds = [name for name in inputs if not name.lower().endswith(_FILES)]
    for kind in kinds:
        if kind not in KINDS:
            raise ModelError(f"`inputs` {kind}: give {', '.join(KINDS)}, or an .npy or .npz file")
    read = {file.name: read_feeds(wanted, file) for file in files}
    sizes = {tuple(found[1]) for found in read.values()}
    if len(sizes) > 1:
        raise ModelError(f"{path}: its files of inputs differ in size: give those of one size at a time")
    fixed = [*sizes.pop()] if sizes else fixed_shapes(wanted, fed.shapes, path)
    feeds = {name: found[0] for name, found in read.items()}
    feeds |= {kind: made_feed(wanted, fixed, kind, fed.seed) for kind in kinds or ([] if files else _usual(wanted, fixed))}
    image = _takes_image(wanted, fixed)
    if fed.photos is not None:
        if not image:
            raise ModelError(f"{path}: it takes no image of three channels in single precision: leave `data` out")
        crops = photo_crops(fed.photos, fixed[0][1], fixed[0][2], PHOTO_COUNT)
        feeds |= {f"photo {number}": {wanted[0].index: crop} for number, crop in enumerate(crops, 1)}
    elif image and not inputs:
        feeds["dead leaves"] = {wanted[0].index: photo_like_images(fixed[0][1], fixed[0][2], 1, fed.seed)[0]}
    return fixed, feeds


def _usual(wanted: Sequence[Wanted], shapes: Sequence[tuple[int, ...]]) -> list[str]:
    return ["uniform"] if _takes_image(wanted, shapes) else ["uniform", "normal"]


def _takes_image(wanted: Sequence[Wanted], shapes: Sequence[tuple[int, ...]]) -> bool:
    shape = shapes[0]
    return (
        len(wanted) == 1 and wanted[0].dtype == "float32" and len(shape) == 4 and shape[0] == 1 and shape[3] == 3 and min(shape[1:3]) >= 8
    )


def _at(data: bytes, wanted: Sequence[Wanted], shapes: Sequence[tuple[int, ...]], path: str | Path) -> bytes:
    tensors = parse_checked(data, str(path)).subgraphs[0].tensors
    free = any(tensor.shapeSignature is not None and -1 in list(tensor.shapeSignature) for tensor in tensors)
    moved = any(tuple(want.shape) != shape for want, shape in zip(wanted, shapes))
    return at_shapes(data, {want.index: shape for want, shape in zip(wanted, shapes)}, path) if free or moved else data
