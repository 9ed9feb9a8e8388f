"""Reading photos row by row with pyvips: any kind of PNG, JPEG, WebP or TIFF becomes upright grey or RGB rows, with or without alpha."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_models.system.errors import ImageError

if TYPE_CHECKING:
    import pyvips

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
_LOADERS = ("pngload", "jpegload", "webpload", "tiffload")
MAX_MEGAPIXELS = 200.0
"""Largest photo that is read unless a caller lifts it: what the largest phone cameras make. A decompression bomb has more."""
_MAX_SIDE = 65_535
_METADATA = ("icc-profile-data", "exif-data", "xmp-data", "iptc-data", "resolution-unit")


@dataclass(frozen=True)
class ImageKind:
    """What the rows of an image are.

    Attributes:
        width: pixels.
        height: pixels.
        colours: 1 (grey) or 3 (RGB).
        alpha: whether one more channel of opacity follows.
        depth: bits a sample, 8 or 16.
    """

    width: int
    height: int
    colours: int
    alpha: bool
    depth: int

    @property
    def bands(self) -> int:
        """Channels of a row, alpha included."""
        return self.colours + self.alpha

    @property
    def dtype(self) -> np.dtype:
        """uint8 or uint16, as the depth says."""
        return np.dtype(np.uint8 if self.depth == 8 else np.uint16)

    @property
    def white(self) -> int:
        """The largest sample, 255 or 65535."""
        return 2**self.depth - 1


class ImageReader:
    """One photo, upright, read from top to bottom; rows already read are not kept.

    Attributes:
        path: the file.
        kind: size and channels, after the EXIF orientation was applied.
        image: the pyvips image that carries EXIF, XMP, ICC profile and resolution.
    """

    def __init__(self, path: str | Path, max_megapixels: float = MAX_MEGAPIXELS) -> None:
        """Open the file and read its header.

        Args:
            path: a PNG, JPEG, WebP or TIFF file.
            max_megapixels: a larger one is refused before a pixel is decoded; its longest side may have 65,535 pixels, and
                more in proportion where this is above `MAX_MEGAPIXELS`.

        Raises:
            ImageError: the file is missing, no image, too large, or of a kind that has no single right reading.
        """
        from conversion.upscaling.libvips import pyvips

        self.path = Path(path)
        if not self.path.is_file():
            raise ImageError(f"{path}: no such image file: check the path")
        try:
            self.image = _to_grey_or_rgb(_open_upright(self.path, max_megapixels), self.path)
        except pyvips.Error as error:
            raise ImageError(f"{path}: {vips_reason(error)}: give a whole PNG, JPEG, WebP or TIFF file") from error
        alpha = self.image.hasalpha()
        depth = 16 if self.image.format == "ushort" else 8
        self.kind = ImageKind(self.image.width, self.image.height, self.image.bands - alpha, bool(alpha), depth)
        self._region: pyvips.Region | None = None
        self._next_row = 0

    def read(self, rows: int) -> np.ndarray:
        """Read the next rows.

        Args:
            rows: how many; fewer come back at the image's end.

        Returns:
            (rows, width, bands) uint8 or uint16, read-only.

        Raises:
            ImageError: the file is truncated or damaged here.
        """
        from conversion.upscaling.libvips import pyvips

        kind = self.kind
        rows = min(rows, kind.height - self._next_row)
        if rows == 0:
            return np.empty((0, kind.width, kind.bands), kind.dtype)
        try:
            if self._region is None:
                self._region = pyvips.Region.new(self.image)
            data = self._region.fetch(0, self._next_row, kind.width, rows)
        except pyvips.Error as error:
            reason = vips_reason(error)
            raise ImageError(f"{self.path}: damaged or cut off after row {self._next_row} ({reason}): get the whole file again") from error
        self._next_row += rows
        return np.frombuffer(data, kind.dtype).reshape(rows, kind.width, kind.bands)


def with_metadata(image: "pyvips.Image", source: "pyvips.Image") -> "pyvips.Image":
    """Give an image the EXIF, XMP, IPTC, ICC profile and resolution of another one, as upright.

    Args:
        image: the image to be saved.
        source: `ImageReader.image`.

    Returns:
        A copy of `image` that carries them.
    """
    from conversion.upscaling.libvips import pyvips

    image = image.copy(xres=source.xres, yres=source.yres)
    for field in source.get_fields():
        # Comments are not carried: every format has other rules for them.
        if field in _METADATA or (field.startswith("exif-") and not field.endswith("Orientation")):
            image.set_type(source.get_typeof(field), field, source.get(field))
    if source.get_typeof("exif-data"):
        # Set, not left out: the savers rewrite the tag inside of the EXIF block only if the field is there.
        image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    return image


def vips_reason(error: Exception) -> str:
    """The first line of what libvips says, without the file's name.

    Args:
        error: a pyvips.Error.

    Returns:
        One line.
    """
    detail = getattr(error, "detail", "") or str(error)
    lines = [line.strip() for line in str(detail).splitlines() if line.strip()]
    reason = lines[0] if lines else str(error)
    if "is not a known file format" in reason:
        return "not an image that can be read"
    return reason.split(": ", 1)[-1][:160] if reason.startswith("VipsForeignLoad") else reason[:160]


def _open_upright(path: Path, max_megapixels: float) -> "pyvips.Image":
    from conversion.upscaling.libvips import pyvips

    # Not from libvips' cache, which would miss that a file has changed.
    image = pyvips.Image.new_from_file(str(path), access="sequential", fail_on="error", revalidate=True)
    loader = image.get("vips-loader")
    if not loader.startswith(_LOADERS):
        raise ImageError(f"{path}: {loader.removesuffix('load')} file: give PNG, JPEG, WebP or TIFF")
    _refuse_bomb(path, image.width, image.height, max_megapixels)
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if pages > 1:
        raise ImageError(f"{path}: {pages} pages or frames: save each one as an image of its own")
    if image.get_typeof("orientation") and image.get("orientation") != 1:
        # Turned rows are columns of the file: only then is the whole photo decoded (libvips puts it on disk above 100 MB).
        image = pyvips.Image.new_from_file(str(path), access="random", fail_on="error", revalidate=True).autorot()
    return image


def _refuse_bomb(path: Path, width: int, height: int, max_megapixels: float) -> None:
    megapixels = width * height / 1e6
    if megapixels > max_megapixels or max(width, height) > _MAX_SIDE * max(1.0, max_megapixels / MAX_MEGAPIXELS):
        raise ImageError(
            f"{path}: {width}x{height} pixels: {max_megapixels:g} megapixels and sides of {_MAX_SIDE:,} are the limit, "
            "it may be a decompression bomb: if you trust it, raise the limit with --max-megapixels"
        )


def _to_grey_or_rgb(image: "pyvips.Image", path: Path) -> "pyvips.Image":
    """Bring colour and sample type to 8 or 16 bits of grey or RGB; RGB and grey pixels of those are left exactly as they are."""
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
        raise ImageError(f"{path}: {image.bands} channels: save it as grey, RGB or CMYK, with at most one alpha channel")
    grey = image.bands < 3
    names: dict[tuple[bool, int], pyvips.enums.Interpretation | str] = {
        (True, 8): "b-w",
        (True, 16): "grey16",
        (False, 8): "srgb",
        (False, 16): "rgb16",
    }
    return image.copy(interpretation=names[grey, depth])
