"""Photos of the kinds that phones and programs write and libraries rarely make, from the formats'
specifications.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from conversion.upscaling.libvips import pyvips
from support.photos import exif, smooth, turned

HDRGM = "http://ns.adobe.com/hdr-gain-map/1.0/"


def png_chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(samples, *chunks, mode=None):
    """A PNG of 8 or 16 bits with (name, body) chunks between its header and its pixels."""
    height, width, bands = samples.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[bands]
    raw = samples if samples.dtype == np.uint8 else samples.astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in raw)
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * samples.itemsize, colour, 0, 0, 0))
    body = b"".join(png_chunk(*chunk) for chunk in chunks)
    return (
        b"\x89PNG\r\n\x1a\n" + head + body + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    )


def apng(frames, first_is_one=True):
    """An APNG by Pillow; `first_is_one` False gives it a picture before the frames that is none of them."""
    pictures = [
        Image.fromarray(smooth(20, 24) // (number + 1)) for number in range(frames + (not first_is_one))
    ]
    file = io.BytesIO()
    pictures[0].save(file, "PNG", save_all=True, append_images=pictures[1:], default_image=not first_is_one)
    return file.getvalue()


def jpeg(samples, **options):
    file = io.BytesIO()
    Image.fromarray(samples if samples.shape[2] > 1 else samples[..., 0]).save(
        file, "JPEG", **{"quality": 95, **options}
    )
    return file.getvalue()


def gain_samples(height, width):
    """Brighter towards the right and the bottom, so that every turn shows."""
    rows, columns = np.mgrid[0:height, 0:width]
    return (rows * 60 / height + columns * 180 / width + 10).astype(np.uint8)[..., None]


def ultra_hdr(upright, orientation=1, bands=1, **options):
    """An Ultra HDR photo (ISO 21496-1), by libultrahdr: stored turned, with a gain map of half the size
    that is turned as well.
    """
    base = pyvips.Image.new_from_array(turned(upright, orientation)).copy(interpretation="srgb")
    gains = np.repeat(gain_samples(upright.shape[0] // 2, upright.shape[1] // 2), bands, axis=2)
    kind = pyvips.GValue.array_double_type
    for name, values in (
        ("max-content-boost", [4.0]),
        ("min-content-boost", [1.0]),
        ("gamma", [1.0]),
        ("offset-sdr", [0.0]),
        ("offset-hdr", [0.0]),
    ):
        base.set_type(kind, f"gainmap-{name}", values * 3)
    base.set_type(pyvips.GValue.gdouble_type, "gainmap-hdr-capacity-min", 1.0)
    base.set_type(pyvips.GValue.gdouble_type, "gainmap-hdr-capacity-max", 4.0)
    base.set_type(pyvips.GValue.gint_type, "gainmap-use-base-cg", 1)
    base.set_type(pyvips.GValue.blob_type, "gainmap-data", jpeg(turned(gains, orientation)))
    if orientation != 1:
        base.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    for name, block in options.items():
        base.set_type(pyvips.GValue.blob_type, f"{name}-data", block)
    return base.uhdrsave_buffer(Q=95)


GAIN = {"Version": "1.0", "GainMapMin": "0", "GainMapMax": "2", "Gamma": "1", "OffsetSDR": "0", "OffsetHDR": "0"}
GAIN |= {"HDRCapacityMin": "0", "HDRCapacityMax": "2", "BaseRenditionIsHDR": "False"}


def ultra_hdr_by_xmp(upright, **numbers):
    """An Ultra HDR photo as Android 14 writes it: XMP tells of the gain map, in the photo and in the map; `numbers` instead of `GAIN`'s."""
    told = " ".join(f'hdrgm:{name}="{value}"' for name, value in (GAIN | numbers).items())
    gain_xmp = (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        f' xmlns:hdrgm="{HDRGM}" {told}/></rdf:RDF></x:xmpmeta>'
    ).encode()
    gains = jpeg(gain_samples(upright.shape[0] // 2, upright.shape[1] // 2), xmp=gain_xmp)
    base_xmp = (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        f' xmlns:Container="http://ns.google.com/photos/1.0/container/" xmlns:Item="http://ns.google.com/photos/1.0/container/item/"'
        f' xmlns:hdrgm="{HDRGM}" hdrgm:Version="1.0"'
        f' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Make="Phone"><Container:Directory><rdf:Seq>'
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>'
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg"'
        f' Item:Length="{len(gains)}"/></rdf:li>'
        f"</rdf:Seq></Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()
    return with_mpf(jpeg(upright, xmp=base_xmp, exif=exif()), gains)


def with_mpf(first, *others):
    """Several JPEGs in one file, and the index that CIPA's multi-picture format wants (Pillow's MPO writer
    knows no foreign pictures).
    """
    count = 1 + len(others)
    length = 8 + 2 + 3 * 12 + 4 + 16 * count
    insert = 2 + 2 + 4 + length
    place = len(first) + insert
    entries = struct.pack(">IIIHH", 0x030000, place, 0, 0, 0)
    header = 2 + 2 + 2 + 4  # of the file, of the segment, and MPF: offsets count from behind them
    for other in others:
        entries += struct.pack(">IIIHH", 0, len(other), place - header, 0, 0)
        place += len(other)
    index = b"MM\0*\0\0\0\x08" + struct.pack(">H", 3) + struct.pack(">HHI4s", 0xB000, 7, 4, b"0100")
    index += (
        struct.pack(">HHII", 0xB001, 4, 1, count)
        + struct.pack(">HHII", 0xB002, 7, 16 * count, 50)
        + struct.pack(">I", 0)
        + entries
    )
    segment = b"\xff\xe2" + struct.pack(">H", 2 + 4 + len(index)) + b"MPF\0" + index
    return first[:2] + segment + first[2:] + b"".join(others)


def heic(samples, **options):
    """A HEIC file (HEVC) by pillow-heif, of 8 bits or, from 16, of 10."""
    import pillow_heif

    file = io.BytesIO()
    if samples.dtype == np.uint16:
        heif = pillow_heif.from_bytes("RGB;16", samples.shape[1::-1], samples.tobytes())
    else:
        heif = pillow_heif.from_pillow(Image.fromarray(samples if samples.shape[2] > 1 else samples[..., 0]))
    heif.save(file, quality=-1, chroma=444, matrix_coefficients=0, **options)
    return file.getvalue()


def xmp(orientation, form="attribute", prefix="tiff"):
    """An XMP packet that tells an orientation."""
    space = f'xmlns:{prefix}="http://ns.adobe.com/tiff/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/jpeg"'
    attribute = f' {prefix}:Orientation="{orientation}"' if form == "attribute" else ""
    element = f"<{prefix}:Orientation>{orientation}</{prefix}:Orientation>" if form == "element" else ""
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {space}{attribute}>{element}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()
