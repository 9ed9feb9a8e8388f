"""The weights inside of a .keras file, read where the HDF5 library can do no harm (`keras_models.system.sandbox`) and written anew."""

import math

import h5py

from keras_models.system.errors import ModelError

_MAX_OBJECTS = 5_000
"""Groups and arrays; the largest network here has 800, 6 deep."""
_MAX_DEPTH = 16
"""Of groups in groups: a layer within a layer takes two, and each is found by its whole path."""


def copy_weights(source: str, target: str, most: int) -> None:
    """Copies the groups, arrays and names of an HDF5 file into a new one; nothing else of it is taken over.

    Args:
        source: a .weights.h5 from outside.
        target: to write.
        most: bytes of all arrays together, unpacked.

    Raises:
        ModelError: arrays that are no numbers, that stand in other files, or that are too large.
        Exception: whatever HDF5 raises on a damaged file.
    """
    left, objects = most, 0
    with h5py.File(source, "r") as old, h5py.File(target, "w") as new:

        def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
            nonlocal left, objects
            objects += 1
            if objects > _MAX_OBJECTS:
                raise ModelError(f"more than {_MAX_OBJECTS:,} arrays and groups")
            if name.count("/") >= _MAX_DEPTH:
                raise ModelError(f"groups within groups, over {_MAX_DEPTH} deep")
            if isinstance(item, h5py.Dataset):
                if item.dtype.kind not in "fiub" or item.external or item.is_virtual:
                    raise ModelError(f"{name[:80]} is no array of numbers that stands in the file itself")
                left -= math.prod(item.shape) * item.dtype.itemsize
                if left < 0:
                    raise ModelError(f"arrays of more than {most:,} bytes")
                new.create_dataset(name, data=item[()])
            else:
                group = new.require_group(name)
                if isinstance(item.attrs.get("name"), str):
                    group.attrs["name"] = item.attrs["name"]

        old.visititems(visit)
