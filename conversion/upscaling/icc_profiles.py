"""ICC profiles: which one a picture may carry, and one made for colours that a PNG or HEIF file only
names.
"""

import io
import struct
from collections.abc import Sequence

import numpy as np

_HEADER_BYTES = 128
_SPACES = {1: b"GRAY", 3: b"RGB "}
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_FUNCTION_PARAMETERS = {0: 1, 3: 5}

Point = tuple[float, float]
"""A chromaticity, CIE xy."""


def carried_profile(profile: bytes, colours: int) -> bytes | None:
    """The profile as it can be written: cut to the length it tells, filled up to a multiple of four.

    Args:
        profile: as a photo holds it.
        colours: of the picture, 1 (grey) or 3 (RGB).

    Returns:
        The profile, byte for byte if nothing is wrong with its length; None if it is damaged or of another
        colour space.
    """
    if len(profile) < _HEADER_BYTES + 4 or profile[36:40] != b"acsp" or profile[16:20] != _SPACES[colours]:
        return None
    told = int.from_bytes(profile[:4], "big")
    if not _HEADER_BYTES < told <= len(profile) + 3:
        return None
    mended = profile[:told].ljust(told, b"\0")
    count = int.from_bytes(mended[128:132], "big")
    if _HEADER_BYTES + 4 + 12 * count > told:
        return None
    for _, start, size in struct.iter_unpack(">4sII", mended[132 : 132 + 12 * count]):
        if start + size > told:
            return None
    if told % 4:
        mended = mended.ljust(told + -told % 4, b"\0")
        mended = (
            len(mended).to_bytes(4, "big") + mended[4:84] + bytes(16) + mended[100:]
        )  # its checksum was of the other length
    return mended if _is_read(mended, colours) else None


def rgb_profile(name: str, white: Point, primaries: Sequence[Point], curve: Sequence[float]) -> bytes:
    """A profile (version 4, matrix and curve) of an RGB space.

    Args:
        name: shown by programs.
        white: of the space.
        primaries: red, green, blue.
        curve: parameters of ICC's parametric curve: (g,) for a power, (g, a, b, c, d) for a power with a
            linear foot.
    """
    to_xyz = _to_d50(white) @ _matrix(white, primaries)
    tags = {b"rXYZ": _xyz(to_xyz[:, 0]), b"gXYZ": _xyz(to_xyz[:, 1]), b"bXYZ": _xyz(to_xyz[:, 2])}
    tags |= {tag: _curve(curve) for tag in (b"rTRC", b"gTRC", b"bTRC")}
    tags[b"chad"] = b"sf32" + bytes(4) + _fixed(_to_d50(white).ravel())
    return _profile(b"RGB ", name, tags)


def grey_profile(name: str, curve: Sequence[float]) -> bytes:
    """A profile of a grey space; arguments as in `rgb_profile`."""
    return _profile(b"GRAY", name, {b"kTRC": _curve(curve)})


def _is_read(profile: bytes, colours: int) -> bool:
    """Whether libpng, the strictest of the readers, takes the profile; it is asked with a picture of one
    pixel.
    """
    from PIL import ImageCms

    from conversion.upscaling.libvips import pyvips

    try:
        ImageCms.ImageCmsProfile(io.BytesIO(profile))
        pixel = pyvips.Image.black(1, 1, bands=colours).copy(interpretation="b-w" if colours == 1 else "srgb")
        pixel.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
        return b"iCCP" in pixel.pngsave_buffer(keep="icc")
    except (pyvips.Error, ImageCms.PyCMSError, OSError):
        return False


def _matrix(white: Point, primaries: Sequence[Point]) -> np.ndarray:
    """RGB to XYZ under the space's own white."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    target = np.array([white[0] / white[1], 1.0, (1 - white[0] - white[1]) / white[1]])
    return columns * np.linalg.solve(columns, target)


def _to_d50(white: Point) -> np.ndarray:
    source = np.array([white[0] / white[1], 1.0, (1 - white[0] - white[1]) / white[1]])
    return np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ source)) @ _BRADFORD


def _profile(space: bytes, name: str, tags: dict[bytes, bytes]) -> bytes:
    text = name.encode("utf-16-be")
    words = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    tags = {b"desc": words, b"cprt": words, b"wtpt": _xyz(_D50), **tags}
    table, body, places = b"", b"", {}
    start = _HEADER_BYTES + 4 + 12 * len(tags)
    for tag, content in tags.items():
        if content not in places:
            places[content] = start + len(body)
            body += content.ljust(len(content) + -len(content) % 4, b"\0")
        table += struct.pack(">4sII", tag, places[content], len(content))
    header = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x04300000, b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + _fixed(_D50)
    return header.ljust(_HEADER_BYTES, b"\0") + len(tags).to_bytes(4, "big") + table + body


def _curve(parameters: Sequence[float]) -> bytes:
    function = next(kind for kind, count in _FUNCTION_PARAMETERS.items() if count == len(parameters))
    return b"para" + bytes(4) + struct.pack(">HH", function, 0) + _fixed(parameters)


def _xyz(values: Sequence[float] | np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _fixed(values: Sequence[float] | np.ndarray) -> bytes:
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)
