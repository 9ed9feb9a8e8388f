"""Reading photos row by row: any kind of photo becomes upright grey or RGB rows, with or without alpha."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conversion.upscaling.photo_decoders import MAX_MEGAPIXELS, open_photo
from keras_models.data.photo_formats import GIVE
from keras_models.system.errors import ImageError

if TYPE_CHECKING:
    pass


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
        image: the pyvips image.
        metadata: what it carries besides.
        notes: a phrase for each thing in the file that cannot be carried.
    """

    def __init__(self, path: str | Path, max_megapixels: float = MAX_MEGAPIXELS) -> None:
        """Open the file and read its header.

        Args:
            path: a photo of one of `photo_formats.ENDINGS`.
            max_megapixels: a larger one is refused before a pixel is decoded; its longest side may have 65,535 pixels, and
                more in proportion where this is above `MAX_MEGAPIXELS`.

        Raises:
            ImageError: the file is missing, no image, too large, or of a kind that has no single right reading.
        """
        from conversion.upscaling.libvips import pyvips

        self.path = Path(path)
        try:
            self.image, self.metadata, self.notes = open_photo(self.path, max_megapixels)
        except pyvips.Error as error:
            raise ImageError(f"{path}: {self._reason(error)}: {GIVE}") from error
        except MemoryError:
            raise ImageError(f"{path}: takes more memory than there is: make room, or give a smaller one") from None
        alpha = self.image.hasalpha()
        depth = 16 if self.image.format == "ushort" else 8
        self.kind = ImageKind(self.image.width, self.image.height, self.image.bands - alpha, bool(alpha), depth)
        self._region: pyvips.Region | None = None
        self._next_row = 0

    def _reason(self, error: Exception) -> str:
        return vips_reason(error).replace(f"{self.path}: ", "")

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
            reason = self._reason(error)
            if "not supported" in reason:  # the file is sound
                raise ImageError(f"{self.path}: {reason}: save it as a plain PNG or TIFF") from error
            raise ImageError(f"{self.path}: damaged or cut off after row {self._next_row} ({reason}): get the whole file again") from error
        self._next_row += rows
        return np.frombuffer(data, kind.dtype).reshape(rows, kind.width, kind.bands)


def vips_reason(error: Exception) -> str:
    """The first line of what libvips says, without the file's name.

    Args:
        error: a pyvips.Error.

    Returns:
        One line.
    """
    detail = getattr(error, "detail", "") or str(error)
    lines = [line.strip() for line in str(detail).splitlines() if line.strip()]
    lines = [line for line in lines if ": bad seek to " not in line] or lines  # libvips' own, before libheif says what is wrong
    reason = lines[0] if lines else str(error)
    if reason.startswith("unable to call"):
        return "its header is damaged, or says what no photo has"
    missing = re.search(r"(\w+) compression support is not configured", reason)
    if missing:
        return f"compressed with {missing[1]}, which is not supported"
    return reason.split(": ", 1)[-1][:160] if reason.startswith("VipsForeignLoad") else reason[:160]
