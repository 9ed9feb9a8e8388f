"""Zip files from outside (.pth, .npz, .keras): what they would take unpacked is known, and limited, before anything is unpacked."""

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from keras_models.system.errors import CheckpointError

MAX_BYTES = 1 << 29
"""Of a checkpoint, unpacked. The networks here have a hundredth of it, with an optimizer's state and averages."""
MAX_MEMBERS = 30_000
"""A checkpoint has one for each tensor; the largest released one here has 500."""
_MAX_DIRECTORY_BYTES = 4 << 20
"""Of the list of members, which Python's zipfile reads whole before it tells how many there are."""
_ENCRYPTED = 1


def open_archive(path: str | Path) -> zipfile.ZipFile:
    """Opens a zip whose members are plain and together not too large.

    Raises:
        CheckpointError: it would unpack to more than `MAX_BYTES` (a zip bomb), or is packed in an unusual way.
        zipfile.BadZipFile: not a zip.
        OSError: not readable.
    """
    _check_directory(path)
    archive = zipfile.ZipFile(path)
    try:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        if len(members) > MAX_MEMBERS:
            raise CheckpointError(f"{path}: a zip of {len(members):,} files: {MAX_MEMBERS:,} are the most that is read")
        if total > MAX_BYTES:
            raise CheckpointError(f"{path}: would unpack to {total:,} bytes: {MAX_BYTES:,} are the most that is read")
        for member in members:
            # LZMA asks for memory by a number in the file; none of the formats here uses it.
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & _ENCRYPTED:
                raise CheckpointError(f"{path}: {member.filename!r} is encrypted or packed by another method than deflate: save it again")
    except BaseException:
        archive.close()
        raise
    return archive


def _check_directory(path: str | Path) -> None:
    """Refuses a list of members that would take long to read."""
    with Path(path).open("rb") as file:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # None: zipfile says so itself
    if end is not None and end[zipfile._ECD_SIZE] > _MAX_DIRECTORY_BYTES:  # type: ignore[attr-defined]
        raise CheckpointError(f"{path}: a zip of more files than the {MAX_MEMBERS:,} that are read")


def read_member(archive: zipfile.ZipFile, name: str, path: str | Path) -> bytes:
    """The bytes of a member, never more than the directory says: a member that lies is not unpacked any further.

    Raises:
        CheckpointError: it has another size than the directory says.
        Exception: whatever zipfile raises on a damaged file.
    """
    expected = archive.getinfo(name).file_size
    with archive.open(name) as stream:
        content = stream.read(expected + 1)  # without a number zipfile unpacks all there is, and cuts it then
    if len(content) != expected:
        raise CheckpointError(f"{path}: {name[:80]!r} has not the {expected:,} bytes that it should: cut off, download it again")
    return content


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz, each checked to be as large as it says before memory is taken for it. No pickles.

    Raises:
        CheckpointError: as `open_archive`, or an array's size is not what its header says.
        Exception: whatever zipfile and NumPy raise on a damaged file.
    """
    arrays = {}
    with open_archive(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as stream:
                _check_header(stream, member, path)
            with archive.open(member) as stream:
                arrays[member.filename.removesuffix(".npy")] = np.lib.format.read_array(stream, allow_pickle=False)
    return arrays


def _check_header(stream: IO[bytes], member: zipfile.ZipInfo, path: str | Path) -> None:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    expected = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or min(shape, default=0) < 0 or member.file_size - stream.tell() != expected:
        raise CheckpointError(f"{path}: {member.filename!r} is said to be {dtype} {shape}, but has other bytes: save it again")
