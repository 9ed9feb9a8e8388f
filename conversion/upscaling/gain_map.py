"""The gain map of an Ultra HDR photo: a small JPEG in the same file that tells how much brighter an HDR
display may go, pixel by pixel.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from keras_models.system.quiet import silenced

if TYPE_CHECKING:
    import pyvips

_QUALITY, _SMALL = 95, 16
_SIGNS = (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"urn:iso:std:iso:ts:21496:-1")
_MOST_HEAD = 1 << 20
_MOST_FILE = 1 << 29  # libultrahdr holds the whole file in memory
_START_OF_SCAN, _END = 0xDA, 0xD9
_TELLING = (0xE1, 0xE2)  # EXIF and XMP; ISO 21496-1, the index of pictures


@dataclass(frozen=True)
class GainMap:
    """A gain map as libvips hands it from the loader to the saver.

    Attributes:
        fields: name -> (libvips' type, value), the JPEG among them.
    """

    fields: dict[str, tuple[int, Any]]

    def put_on(self, image: "pyvips.Image") -> None:
        """Adds the fields to a picture that `uhdrsave` will write."""
        for name, (kind, value) in self.fields.items():
            image.set_type(kind, name, value)


def read_gain_map(path: Path, orientation: int, most_pixels: float) -> GainMap | None:
    """The gain map of a JPEG, turned as the photo is.

    Args:
        path: a JPEG that `jpeg_facts` calls Ultra HDR.
        orientation: 1 to 8, EXIF's.
        most_pixels: of a gain map that is decoded.

    Returns:
        The map, None if it is damaged.
    """
    from conversion.upscaling.libvips import pyvips

    if path.stat().st_size > _MOST_FILE:
        return None
    try:
        with silenced(1, 2):  # its reader of XMP speaks
            image = pyvips.Image.uhdrload(bytes(path), revalidate=True)
        fields = {
            name: (image.get_typeof(name), image.get(name))
            for name in image.get_fields()
            if name.startswith("gainmap-")
        }
        if "gainmap-data" not in fields:
            return None
        small = pyvips.Image.jpegload_buffer(bytes(fields["gainmap-data"][1]), fail_on="error")
        if small.width * small.height > most_pixels:
            return None
        if orientation != 1:
            small = small.copy_memory().copy()
            small.set_type(pyvips.GValue.gint_type, "orientation", orientation)
            turned = small.autorot().jpegsave_buffer(Q=_QUALITY, keep="none", subsample_mode="off")
            fields["gainmap-data"] = (fields["gainmap-data"][0], turned)
        else:
            small.avg()  # a damaged one is seen now
            kind, data = fields["gainmap-data"]
            fields["gainmap-data"] = (kind, _bare(bytes(data)))
        found = GainMap(fields)
        return found if _is_written(found) else None
    except pyvips.Error:
        return None


def _is_written(gain_map: GainMap) -> bool:
    """Whether libultrahdr, which reads numbers that it does not write, takes the map; it is asked with a small picture."""
    from conversion.upscaling.libvips import pyvips

    picture = pyvips.Image.black(_SMALL, _SMALL, bands=3).copy(interpretation="srgb")
    gain_map.put_on(picture)
    try:
        picture.uhdrsave_buffer(keep="gainmap")
    except pyvips.Error:
        return False
    return True


def _bare(jpeg: bytes) -> bytes:
    """A JPEG without what it tells about itself as a gain map: whoever writes it tells that anew."""
    kept, position = [jpeg[:2]], 2
    while position + 4 <= len(jpeg) and jpeg[position + 1] not in (_START_OF_SCAN, _END):
        end = position + 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
        if jpeg[position + 1] not in _TELLING:
            kept.append(jpeg[position:end])
        position = end
    return b"".join((*kept, jpeg[position:]))


def jpeg_facts(path: Path) -> tuple[bool, int]:
    """Whether a JPEG says that it is Ultra HDR, and how many pictures it says to hold (CIPA's
    multi-picture format).
    """
    with path.open("rb") as file:
        head = file.read(_MOST_HEAD)
    ultra_hdr, pictures, position = False, 1, 2
    while (
        position + 4 <= len(head)
        and head[position] == 0xFF
        and head[position + 1] not in (_START_OF_SCAN, _END)
    ):
        end = position + 2 + int.from_bytes(head[position + 2 : position + 4], "big")
        segment = head[position + 4 : end]
        if segment.startswith(b"MPF\0"):
            pictures = _pictures(segment[4:])
        elif head[position + 1] in (0xE1, 0xE2):
            ultra_hdr = ultra_hdr or any(sign in segment for sign in _SIGNS)
        position = end
    return ultra_hdr, pictures


def _pictures(index: bytes) -> int:
    """The number of images in an MPF index."""
    order: Literal["big", "little"] = "big" if index.startswith(b"MM") else "little"
    place = index.find((0xB001).to_bytes(2, order), 8)
    return int.from_bytes(index[place + 8 : place + 12], order) if 0 <= place <= 64 else 1
