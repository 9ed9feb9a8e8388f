"""Reading a PyTorch checkpoint without PyTorch and without running anything that is in the file.

A .pth file is a zip: `*/data.pkl` describes the tensors (`tensor_pickle.py`), `*/data/N` holds their bytes. Older ones are a row of
pickles (`torch_legacy.py`).
"""

import io
import zipfile
from pathlib import Path

import numpy as np

from keras_models.checkpoints.tensor_pickle import MAX_PICKLE_BYTES, TensorUnpickler
from keras_models.checkpoints.torch_legacy import is_legacy, read_legacy
from keras_models.checkpoints.zip_limits import open_archive, read_member
from keras_models.system.errors import CheckpointError, one_line


def read_torch(path: str | Path) -> dict:
    """The object stored in a .pth file, its tensors as NumPy arrays.

    Args:
        path: a file written by `torch.save`.

    Returns:
        What was saved: dicts, lists, numbers, strings and arrays (of the file's dtype and PyTorch layout).

    Raises:
        CheckpointError: not such a file, damaged, or it holds something besides tensors and plain data.
    """
    try:
        return read_legacy(path) if is_legacy(path) else _read_zip(path)
    except CheckpointError:
        raise
    except zipfile.BadZipFile:
        raise CheckpointError(f"{path}: not a PyTorch checkpoint, or cut off: download it again, or re-save it with torch.save") from None
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}: give a readable file") from None
    except Exception as error:  # a damaged pickle can raise anything at all
        raise CheckpointError(f"{path}: damaged checkpoint ({one_line(error)}): download it again") from None


def _read_zip(path: str | Path) -> dict:
    with open_archive(path) as archive:
        record = _pickle_record(archive, path)
        prefix, known = record.removesuffix("data.pkl"), dict[str, np.ndarray]()
        if f"{prefix}byteorder" in archive.NameToInfo and read_member(archive, f"{prefix}byteorder", path).strip() != b"little":
            raise CheckpointError(f"{path}: its numbers are in big-endian order: save it on another machine")

        def storage(key: str, dtype: np.dtype, count: int) -> np.ndarray:
            if key not in known:
                stored, expected = archive.getinfo(f"{prefix}data/{key}").file_size, count * dtype.itemsize
                if stored != expected:
                    raise CheckpointError(f"{path}: data/{key[:80]} has {stored} bytes, not {expected}: download the file again")
                known[key] = np.frombuffer(read_member(archive, f"{prefix}data/{key}", path), dtype)
            if known[key].size != count or known[key].dtype != dtype:
                raise CheckpointError(f"{path}: data/{key[:80]} is said to be two things: download the file again")
            return known[key]

        return TensorUnpickler(io.BytesIO(read_member(archive, record, path)), storage, path).load()


def _pickle_record(archive: zipfile.ZipFile, path: str | Path) -> str:
    records = [i for i in archive.infolist() if i.filename == "data.pkl" or i.filename.endswith("/data.pkl")]
    if len(records) != 1:
        raise CheckpointError(f"{path}: a zip without one data.pkl: give a file written by torch.save")
    if records[0].file_size > MAX_PICKLE_BYTES:
        raise CheckpointError(f"{path}: data.pkl of {records[0].file_size:,} bytes is not a list of tensors: {MAX_PICKLE_BYTES:,} are read")
    return records[0].filename
