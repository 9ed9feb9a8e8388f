"""What a photo carries besides its pixels: gathered from its file, then made true for the upscaled
picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from conversion.upscaling.exif_block import upright_exif
from conversion.upscaling.gain_map import GainMap
from conversion.upscaling.icc_profiles import carried_profile
from conversion.upscaling.named_colours import COLOUR_CHUNKS, hdr_name, profile_of
from conversion.upscaling.xmp_packet import upright_xmp
from keras_models.data.photo_formats import png_chunks

if TYPE_CHECKING:
    import pyvips

_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
_XMP_KEYWORD, _RAW_PROFILE = b"XML:com.adobe.xmp", b"Raw profile type"
_BELOW_A_PROFILE = (b"gAMA", b"cHRM", b"sRGB")
_MOST_TEXT = _MOST_XMP = 1 << 20
MOST_JPEG_BLOCK = 65_500
"""Bytes of EXIF or XMP that a JPEG's segment holds."""
_MOST_COLOUR = 64
_MOST_EXIF = 1 << 20


@dataclass(frozen=True)
class Metadata:
    """What is written with a picture; fields are None or empty where the photo has none.

    Attributes:
        profile: ICC profile, of the pixels' colour space.
        colours: PNG's colour chunks, where there is no profile.
        exif: TIFF block.
        xmp: packet.
        iptc: block.
        texts: (chunk's name, content) of a PNG's texts.
        resolution: pixels a millimetre, across and down, if the photo tells it.
        shape: the pHYs of a PNG that tells only how pixels are shaped.
        gain_map: of an Ultra HDR photo, upright.
        turned: the photo's orientation has been applied.
    """

    profile: bytes | None = None
    colours: Mapping[bytes, bytes] = field(default_factory=dict)
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    texts: tuple[tuple[bytes, bytes], ...] = ()
    resolution: tuple[float, float] | None = None
    shape: bytes | None = None
    gain_map: GainMap | None = None
    turned: bool = False

    def for_picture(self, width: int, height: int, gain_map: bool) -> "Metadata":
        """The same for a picture of this size, upright; `gain_map` says whether it keeps its gain map."""
        exif = self.exif and upright_exif(self.exif, width, height)
        xmp = self.xmp and upright_xmp(self.xmp, width, height, self.turned)
        return replace(self, exif=exif, xmp=xmp, gain_map=self.gain_map if gain_map else None)

    def profile_for(self, colours: int) -> bytes | None:
        """The profile for a format that has nothing else to name colours with."""
        made = profile_of(self.colours, colours)
        return (
            made
            if self.profile is None
            else self.profile
            if b"cICP" not in self.colours
            else made or self.profile
        )

    def lost_in(self, image_format: str) -> list[str]:
        """What a format has no place for, a phrase each."""
        lost = []
        if self.gain_map and image_format != "jpeg":
            lost.append(
                f"its gain map (Ultra HDR) does not fit into {image_format} and goes: `format` jpeg keeps it"
            )
        if self.texts and image_format != "png":
            lost.append(
                f"its texts ({', '.join(_keywords(self.texts))}) do not fit into {image_format} and go: "
                "`format` png keeps them"
            )
        if self.exif and image_format == "tiff":
            lost.append("its EXIF is not written into tiff and goes: another `format` keeps it")
        if self.iptc and image_format not in ("jpeg", "tiff"):
            lost.append(f"its IPTC block does not fit into {image_format} and goes: `format` jpeg keeps it")
        for block, name in ((self.exif, "EXIF"), (self.xmp, "XMP"), (self.iptc, "IPTC")):
            if block and image_format == "jpeg" and len(block) > MOST_JPEG_BLOCK:
                lost.append(
                    f"its {name} of {len(block) // 1000} kB is too large for jpeg and goes: another "
                    "`format` keeps it"
                )
        if hdr_name(self.colours) and image_format == "png":
            lost.append(
                f"its colours are {hdr_name(self.colours)} (HDR): kept as they are, for viewers that "
                "know cICP"
            )
        return lost


def of_image(image: "pyvips.Image", colours: int) -> tuple[Metadata, list[str]]:
    """What libvips found, with a phrase for each part that cannot be carried.

    Args:
        image: as opened, its profile that of the pixels.
        colours: of its pixels, 1 or 3.
    """
    notes = []
    blocks = {
        name: bytes(image.get(name))
        for name in ("icc-profile-data", "exif-data", "xmp-data", "iptc-data")
        if image.get_typeof(name)
    }
    profile = blocks.get("icc-profile-data")
    if profile is not None:
        profile = carried_profile(profile, colours)
        if profile is None:
            kind = {1: "a grey", 3: "an RGB"}[colours]
            notes.append(f"its colour profile is damaged, or not one of {kind} picture, and goes")
    exif, xmp = blocks.get("exif-data"), blocks.get("xmp-data")
    if exif is not None and upright_exif(exif, 1, 1) is None:
        exif = None
        notes.append("its EXIF is damaged and goes")
    if xmp is not None and len(xmp) > _MOST_XMP:
        notes.append(f"its XMP of {len(xmp) / 1e6:.1f} MB is too large and goes")
        xmp = None
    resolution = (
        (image.xres, image.yres)
        if image.get_typeof("resolution-unit") and min(image.xres, image.yres) > 0
        else None
    )
    return Metadata(
        profile=profile, exif=exif, xmp=xmp, iptc=blocks.get("iptc-data"), resolution=resolution
    ), notes


def png_exif(path: Path) -> bytes | None:
    """The EXIF of a PNG, which libvips does not see behind the pixels, or with JPEG's word before it."""
    with path.open("rb") as file:
        for name, length in png_chunks(file):
            if name == b"eXIf":
                return file.read(length) if length <= _MOST_EXIF else None
    return None


def with_png_chunks(metadata: Metadata, path: Path) -> tuple[Metadata, list[str]]:
    """Adds what a PNG tells in chunks that libvips does not show: colours, texts, and whether its
    resolution is told at all.
    """
    colours: dict[bytes, bytes] = {}
    texts, room, notes = [], _MOST_TEXT, []
    resolution = shape = None
    with path.open("rb") as file:
        for name, length in png_chunks(file):
            if name in COLOUR_CHUNKS and length <= _MOST_COLOUR:
                colours.setdefault(name, file.read(length))
            elif name == b"pHYs" and length == 9:
                shape = file.read(9)
            elif name in _TEXT_CHUNKS:
                room -= length
                body = file.read(length) if room >= 0 else b""
                if room >= 0 and b"\0" in body[:80] and not body.startswith((_XMP_KEYWORD, _RAW_PROFILE)):
                    texts.append((name, body))
    if room < 0:
        notes.append(f"its texts are more than {_MOST_TEXT >> 20} MB: the first are kept, the others go")
    if shape is not None and shape[8] == 1:
        across, down = (int.from_bytes(shape[i : i + 4], "big") / 1000 for i in (0, 4))
        resolution, shape = ((across, down) if min(across, down) > 0 else None), None
    if metadata.profile:  # which counts for more than all but cICP
        colours = {
            name: body
            for name, body in colours.items()
            if b"cICP" in colours and name not in _BELOW_A_PROFILE
        }
    if metadata.exif is None:
        exif = png_exif(path)
        metadata = replace(metadata, exif=exif if exif and upright_exif(exif, 1, 1) else None)
    return replace(metadata, colours=colours, texts=tuple(texts), resolution=resolution, shape=shape), notes


def _keywords(texts: tuple[tuple[bytes, bytes], ...]) -> list[str]:
    return list(dict.fromkeys(body.split(b"\0")[0].decode("latin-1")[:79] for _, body in texts))[:5]
