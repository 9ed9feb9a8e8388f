"""Colours that a file names without a profile: PNG's gAMA, cHRM, sRGB and cICP, and the same code points in
HEIC and AVIF.

A PNG keeps them as they are. Other formats are given a profile that says the same; HDR curves (PQ, HLG) have
none that viewers
understand, so those pictures stay PNG.
"""

import struct
from collections.abc import Mapping

from conversion.upscaling.icc_profiles import Point, grey_profile, rgb_profile

COLOUR_CHUNKS = (b"cICP", b"sRGB", b"gAMA", b"cHRM", b"mDCV", b"cLLI", b"mDCv", b"cLLi")
"""In the order in which they are written; the last ones tell about HDR."""

_HDR = {16: "PQ", 18: "HLG"}
_D65: Point = (0.3127, 0.3290)
_C: Point = (0.310, 0.316)
_SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_SRGB_GAMMA = 45455
# Numbers and values of ITU-T H.273.
_PRIMARIES: dict[int, tuple[Point, tuple[Point, Point, Point]]] = {
    1: (_D65, _SRGB_PRIMARIES),
    4: (_C, ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08))),
    5: (_D65, ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06))),
    6: (_D65, ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07))),
    7: (_D65, ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07))),
    8: (_C, ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049))),
    9: (_D65, ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    11: ((0.314, 0.351), ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))),
    12: (_D65, ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))),
    22: (_D65, ((0.63, 0.34), (0.295, 0.605), (0.155, 0.077))),
}
_VIDEO = (1, 6, 14, 15)  # these tell how a camera encodes; browsers show them with sRGB's curve
_CURVES: dict[int, tuple[float, ...]] = {
    **dict.fromkeys((13, *_VIDEO), _SRGB_CURVE),
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
}
_SRGB, _UNKNOWN = 1, 2

Chunks = Mapping[bytes, bytes]
"""Name of a chunk of `COLOUR_CHUNKS` -> its content."""


def cicp_chunk(primaries: int, transfer: int) -> Chunks:
    """The chunk for RGB of these code points; none where they say sRGB, or nothing."""
    if _UNKNOWN in (primaries, transfer) or (primaries == _SRGB and _CURVES.get(transfer) is _SRGB_CURVE):
        return {}
    return {b"cICP": bytes((primaries, transfer, 0, 1))}


def hdr_name(chunks: Chunks) -> str | None:
    """PQ or HLG, where the chunks say that; else None."""
    cicp = chunks.get(b"cICP", b"")
    return _HDR.get(cicp[1]) if len(cicp) == 4 else None


def profile_of(chunks: Chunks, colours: int) -> bytes | None:
    """A profile that says what the chunks say; None where they say sRGB, or something that no profile can.

    Args:
        chunks: of a picture without a profile.
        colours: of the picture, 1 (grey) or 3 (RGB).
    """
    cicp = chunks.get(b"cICP", b"")
    if len(cicp) == 4:
        curve, space = _CURVES.get(cicp[1]), _PRIMARIES.get(cicp[0])
        if curve is None or space is None or (cicp[0] == _SRGB and curve is _SRGB_CURVE):
            return None
        return _made(f"H.273 primaries {cicp[0]}, transfer {cicp[1]}", *space, curve, colours)
    if b"sRGB" in chunks:
        return None
    gamma, corners = _gamma(chunks), _corners(chunks)
    if gamma in (None, _SRGB_GAMMA) and corners is None:
        return None
    white, primaries = corners or (_D65, _SRGB_PRIMARIES)
    curve = _SRGB_CURVE if gamma in (None, _SRGB_GAMMA) else (100_000 / gamma,)
    return _made(f"PNG gamma {curve[0]:.4g}", white, primaries, curve, colours)


def _made(
    name: str, white: Point, primaries: tuple[Point, Point, Point], curve: tuple[float, ...], colours: int
) -> bytes:
    return grey_profile(name, curve) if colours == 1 else rgb_profile(name, white, primaries, curve)


def _gamma(chunks: Chunks) -> int | None:
    """The exponent of encoding x 100,000; None where there is none that makes sense."""
    body = chunks.get(b"gAMA", b"")
    value = int.from_bytes(body, "big") if len(body) == 4 else 0
    return value if 1_000 <= value <= 1_000_000 else None


def _corners(chunks: Chunks) -> tuple[Point, tuple[Point, Point, Point]] | None:
    """White and primaries, where they are not sRGB's and span a space."""
    body = chunks.get(b"cHRM", b"")
    if len(body) != 32:
        return None
    numbers = [value / 100_000 for value in struct.unpack(">8I", body)]
    white, *primaries = [(numbers[i], numbers[i + 1]) for i in range(0, 8, 2)]
    flat = [n for point in (_D65, *_SRGB_PRIMARIES) for n in point]
    if max(abs(a - b) for a, b in zip(numbers, flat)) < 0.002:
        return None
    (rx, ry), (gx, gy), (bx, by) = primaries
    area = abs((gx - rx) * (by - ry) - (bx - rx) * (gy - ry))
    return (
        (white, (primaries[0], primaries[1], primaries[2]))
        if area > 0.01 and min(ry, gy, by, white[1]) > 0.001
        else None
    )
