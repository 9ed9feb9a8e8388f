"""Opening a photo with the one decoder that its first bytes ask for, as an upright libvips image of rows."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conversion.upscaling.exif_block import orientation_told
from conversion.upscaling.gain_map import jpeg_facts, read_gain_map
from conversion.upscaling.named_colours import cicp_chunk, hdr_name
from conversion.upscaling.photo_metadata import Metadata, of_image, png_exif, with_png_chunks
from keras_models.data.photo_formats import photo_format, several_frames
from keras_models.data.tiff_layout import JPEG_INSIDE, LAB, RGB, YCBCR, tiff_layout
from keras_models.system.errors import ImageError, one_line

if TYPE_CHECKING:
    import pyvips

MAX_MEGAPIXELS = 200.0
"""Largest photo that is read unless a caller lifts it: what the largest phone cameras make. A
decompression bomb has more.
"""
_MAX_SIDE = 65_535
_LOADERS = {
    "png": "pngload",
    "jpeg": "jpegload",
    "webp": "webpload",
    "tiff": "tiffload",
    "gif": "gifload",
    "heif": "heifload",
}
_MOTION_PHOTO = re.compile(rb"(?:MotionPhoto|MicroVideo)(?:=[\"']1[\"']|>1<)")
_APPLE_GAIN_MAP = "urn:com.apple:photo:2020:aux:hdrgainmap"


def open_photo(path: Path, max_megapixels: float) -> tuple["pyvips.Image", Metadata, list[str]]:
    """Opens a photo of any format.

    Args:
        path: the file.
        max_megapixels: a larger one is refused before a pixel is decoded.

    Returns:
        The image, upright and of grey or RGB with 8 or 16 bits, what it carries, and a phrase for each thing
        that cannot be carried.

    Raises:
        ImageError: no photo, too large, moving, or of a kind that has no single right reading.
        pyvips.Error: its header is damaged.
    """
    kind = photo_format(path)
    if kind == "bmp":
        return _open_bmp(path, max_megapixels)
    if kind == "tiff":
        _refuse_layout(path)
    image = _open(path, _LOADERS[kind], "sequential")
    _refuse_bomb(path, image.width, image.height, max_megapixels)
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if pages > 1:
        raise several_frames(path, pages)
    if kind == "heif":
        return _open_heif(path, image)
    told = bool(image.get_typeof("orientation"))
    orientation = image.get("orientation") if told else orientation_told(png_exif(path)) if kind == "png" else 1
    if orientation != 1:
        image = _turned(_open(path, _LOADERS[kind], "random"), orientation)
    image = _to_grey_or_rgb(image, path)
    metadata, notes = of_image(image, 1 if image.bands < 3 else 3)
    metadata = replace(metadata, turned=told or orientation != 1)
    more: list[str] = []
    if kind == "png":
        metadata, more = with_png_chunks(metadata, path)
    elif kind == "jpeg":
        metadata, more = _with_jpeg_extras(metadata, path, orientation, max_megapixels)
    return image, metadata, notes + more


def _open(path: Path, loader: str, access: str) -> "pyvips.Image":
    from conversion.upscaling.libvips import pyvips

    # By bytes, for a name that is not UTF-8; not from libvips' cache, which would miss that a file has
    # changed.
    return getattr(pyvips.Image, loader)(bytes(path), access=access, fail_on="error", revalidate=True)


def _turned(image: "pyvips.Image", orientation: int) -> "pyvips.Image":
    """Upright. Turned rows are columns of the file: only then is the whole photo decoded (libvips puts it on
    disk above 100 MB).
    """
    from conversion.upscaling.libvips import pyvips

    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return image.autorot()


def _open_bmp(path: Path, max_megapixels: float) -> tuple["pyvips.Image", Metadata, list[str]]:
    """With Pillow: libvips has no reader of its own for BMP."""
    from PIL import Image

    try:
        with Image.open(path, formats=["BMP"]) as bmp:
            _refuse_bomb(path, *bmp.size, max_megapixels)
            image = _from_array(
                np.asarray(
                    bmp
                    if bmp.mode in ("L", "RGB", "RGBA")
                    else bmp.convert("L" if bmp.mode == "1" else "RGB")
                )
            )
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders meet damage with any of a dozen types
        raise ImageError(f"{path}: cannot be read ({one_line(error, 120)}): convert it to PNG") from None
    with path.open("rb") as file:
        head = file.read(46)
    across, down = (int.from_bytes(head[i : i + 4], "little", signed=True) / 1000 for i in (38, 42))
    told = len(head) == 46 and int.from_bytes(head[14:18], "little") >= 40 and min(across, down) > 0
    return image, Metadata(resolution=(across, down) if told else None), []


def _open_heif(path: Path, opened: "pyvips.Image") -> tuple["pyvips.Image", Metadata, list[str]]:
    """HEIC with pi-heif, since libvips' wheel has no decoder for HEVC; AVIF with libvips. Both come
    upright; pi-heif tells what they carry.
    """
    import pi_heif

    from conversion.upscaling.libvips import pyvips

    try:
        with path.open("rb") as file:
            found = pi_heif.open_heif(file, convert_hdr_to_8bit=False)
            if len(found) > 1:
                raise several_frames(path, len(found))
            facts = found.info
            # A copy: the array that pi-heif lends dies with `found`.
            image = opened.copy() if opened.get("heif-compression") == "av1" else _from_array(np.array(found))
            bits, multiplied = int(facts.get("bit_depth", 8)), bool(found.premultiplied_alpha)
    except ImageError:
        raise
    except Exception as error:  # pi-heif's errors are of several types
        raise ImageError(f"{path}: cannot be read ({one_line(error, 120)}): convert it to PNG") from None
    if (
        image.format == "ushort"
    ):  # the samples' bits stand at the top, so that white is 65,472 of 65,535 with 10 of them
        white = (2**bits - 1) << (16 - bits)
        image = (image * (65535 / white)).rint().cast("ushort").copy(interpretation=image.interpretation)
    if multiplied and image.hasalpha():  # colours times opacity, which no other format here has
        white, kind = 65535 if image.format == "ushort" else 255, image.format
        image = image.unpremultiply(max_alpha=white).rint().cast(kind).copy(interpretation=image.interpretation)
    for name, key in (("exif-data", "exif"), ("xmp-data", "xmp"), ("icc-profile-data", "icc_profile")):
        if image.get_typeof(name):
            image.remove(name)
        if facts.get(key):
            image.set_type(pyvips.GValue.blob_type, name, bytes(facts[key]))
    image = _to_grey_or_rgb(image, path)
    metadata, notes = of_image(image, 1 if image.bands < 3 else 3)
    nclx = facts.get("nclx_profile") or {}
    colours = cicp_chunk(nclx.get("color_primaries", 2), nclx.get("transfer_characteristics", 2))
    if metadata.profile and not hdr_name(colours):  # the profile counts for more
        colours = {}
    notes += ["its HDR gain map goes"] if _APPLE_GAIN_MAP in (facts.get("aux") or {}) else []
    return image, replace(metadata, colours=colours, turned=True), notes


def _with_jpeg_extras(
    metadata: Metadata, path: Path, orientation: int, max_megapixels: float
) -> tuple[Metadata, list[str]]:
    notes = ["the film behind it goes"] if _MOTION_PHOTO.search(metadata.xmp or b"") else []
    ultra_hdr, pictures = jpeg_facts(path)
    if ultra_hdr:
        gain_map = read_gain_map(path, orientation, max_megapixels * 1e6)
        notes += [] if gain_map else ["its gain map (Ultra HDR) cannot be read and goes"]
        return replace(metadata, gain_map=gain_map), notes
    if pictures > 1:
        notes.append(f"of its {pictures} pictures the first is taken, the others go")
    return metadata, notes


def _refuse_layout(path: Path) -> None:
    """TIFFs that libvips takes for something else than they are, or of which it does not say what they are."""
    layout = tiff_layout(path)
    if layout is None:
        return
    if layout.photometric == YCBCR and layout.compression not in JPEG_INSIDE:  # taken for red, green and blue
        raise ImageError(f"{path}: luma and chroma without JPEG compression: save it as RGB")
    if layout.separate and layout.photometric != RGB:  # grey and alpha are mixed up
        raise ImageError(f"{path}: samples in separate planes: save it with the samples of a pixel side by side")
    if layout.photometric in LAB:
        raise ImageError(f"{path}: Lab colours: save it as RGB")
    if max(layout.bits, default=8) > 8 and set(layout.bits) != {16} and max(layout.bits) < 16:
        raise ImageError(f"{path}: samples of {max(layout.bits)} bits: save it with 8 or 16 bits a sample")


def _from_array(samples: np.ndarray) -> "pyvips.Image":
    from conversion.upscaling.libvips import pyvips

    bands = 1 if samples.ndim == 2 else samples.shape[2]
    names = {(1, 1): "b-w", (1, 2): "grey16", (3, 1): "srgb", (3, 2): "rgb16"}
    image = pyvips.Image.new_from_memory(
        np.ascontiguousarray(samples),
        samples.shape[1],
        samples.shape[0],
        bands,
        {1: "uchar", 2: "ushort"}[samples.itemsize],
    )
    return image.copy(interpretation=names[1 if bands < 3 else 3, samples.itemsize])


def _refuse_bomb(path: Path, width: int, height: int, max_megapixels: float) -> None:
    megapixels = width * height / 1e6
    if megapixels > max_megapixels or max(width, height) > _MAX_SIDE * max(
        1.0, max_megapixels / MAX_MEGAPIXELS
    ):
        raise ImageError(
            f"{path}: {width}x{height} pixels: {max_megapixels:g} megapixels and sides of {_MAX_SIDE:,} "
            "are the limit, "
            "it may be a decompression bomb: if you trust it, raise the limit with `max_megapixels`"
        )


def _to_grey_or_rgb(image: "pyvips.Image", path: Path) -> "pyvips.Image":
    """Bring colour and sample type to 8 or 16 bits of grey or RGB; RGB and grey pixels of those are left
    exactly as they are.
    """
    from conversion.upscaling.libvips import pyvips

    if image.format not in ("uchar", "ushort"):
        raise ImageError(f"{path}: samples of type {image.format}: save it with 8 or 16 bits a sample")
    depth = 8 if image.format == "uchar" else 16
    if image.interpretation == "cmyk":
        # libvips has a general CMYK profile for files that bring none; the result carries sRGB.
        image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=depth)
    elif image.interpretation not in ("srgb", "rgb", "rgb16", "b-w", "grey16", "multiband"):
        image = image.colourspace("srgb" if depth == 8 else "rgb16")
        image = image.copy()
        image.remove("icc-profile-data")
    if image.bands > 4:
        raise ImageError(
            f"{path}: {image.bands} channels: save it as grey, RGB or CMYK, with at most one alpha channel"
        )
    grey = image.bands < 3
    names: dict[tuple[bool, int], pyvips.enums.Interpretation | str] = {
        (True, 8): "b-w",
        (True, 16): "grey16",
        (False, 8): "srgb",
        (False, 16): "rgb16",
    }
    return image.copy(interpretation=names[grey, depth])
