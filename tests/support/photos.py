"""Photos of every kind, written by Pillow, TIFF and pyvips rather than by the code under test."""

import functools
import struct
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image, ImageCms


def noise(height=9, width=13, bands=3, dtype=np.uint8, seed=0):
    """(height, width, bands) random samples over the whole range of the type."""
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (height, width, bands), dtype, endpoint=True)


def smooth(height, width, bands=3):
    """(height, width, bands) uint8, a gradient that lossy formats keep well."""
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [rows * 160 / height + 40, columns * 160 / width + 40, (rows + columns) * 160 / (height + width) + 30, rows * 0 + 255]
    return np.stack(channels[:bands], -1).astype(np.uint8)


def save_pillow(path: Path, samples, **options) -> Path:
    Image.fromarray(samples if samples.shape[2] > 1 else samples[..., 0]).save(path, **options)
    return path


def save_vips(path: Path, samples, interpretation, **options) -> Path:
    """Pillow cannot write 16-bit colour."""
    pyvips.Image.new_from_array(samples).copy(interpretation=interpretation).write_to_file(str(path), **options)
    return path


def save_cmyk(path: Path, samples) -> Path:
    """A CMYK JPEG made by lcms from sRGB samples, without an embedded profile."""
    image = pyvips.Image.new_from_array(samples).copy(interpretation="srgb")
    image.icc_transform("cmyk", input_profile="srgb").write_to_file(str(path), Q=98, keep="none")
    return path


@functools.cache
def profile() -> bytes:
    """An ICC profile that libvips does not ship: sRGB by lcms, with a date and a name of its own."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int = 1) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    made[0x010F] = "Camera maker"
    made[0x0132] = "2021:02:03 04:05:06"
    return made


def turned(upright, orientation: int):
    """Store an upright picture as a camera with this EXIF orientation would."""
    return {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: a.transpose(1, 0, 2)[::-1],
        7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    }[orientation](upright).copy()


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, position = [], 8
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        found.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + length]))
        position += 12 + length
    return found


def samples_of(path: Path):
    """Read a file's samples with libvips' plain loader: (height, width, bands)."""
    samples = pyvips.Image.new_from_file(str(path)).numpy()
    return samples if samples.ndim == 3 else samples[..., None]


def noise_photo(folder, name="photo.png"):
    path = folder / name
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)).save(path)
    return path
