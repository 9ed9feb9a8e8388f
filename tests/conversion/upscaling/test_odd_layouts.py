"""Photos whose samples, opacity or orientation lie where decoders look for something else: both readers give the same, or refuse."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from support.heif_boxes import cut_to, mirrored, turned_by, with_properties
from support.odd_photos import heic, png, png_chunk, xmp
from support.photos import exif, smooth, turned
from support.tiff_files import LAB, MIN_IS_BLACK, MIN_IS_WHITE, RGB, tiff

from conversion.upscaling.images import ImageReader
from keras_models.data.read_rgb import read_rgb
from keras_models.system.errors import ImageError

PHOTO = smooth(40, 62)
PHOTO[5:15, 7:20] = (250, 10, 30)
WIDE = PHOTO.astype(np.uint16) * 257


def upscaled(path):
    """The samples as `upscale` takes them, in 8 bits."""
    reader = ImageReader(path)
    rows = reader.read(reader.kind.height)
    return rows if rows.dtype == np.uint8 else (rows >> 8).astype(np.uint8)


def both(path):
    """The RGB of both readers; None for one that refuses, on one line."""
    found = []
    for read in (upscaled, read_rgb):
        try:
            rows = read(path)
            found.append(np.broadcast_to(rows[..., : 1 if rows.shape[2] < 3 else 3], (*rows.shape[:2], 3)).astype(int))
        except ImageError as error:
            assert "\n" not in str(error)
            found.append(None)
    return found


GREY, OPAQUE = PHOTO[..., :1], np.full((40, 62, 1), 255, np.uint8)
TIFFS = {
    "white is 0": (tiff(GREY, MIN_IS_WHITE), 255 - GREY),
    "white is 0, 16 bits": (tiff(WIDE[..., :1], MIN_IS_WHITE), 255 - GREY),
    "white is 0, 16 bits, big end first": (tiff(WIDE[..., :1], MIN_IS_WHITE, order=">"), 255 - GREY),
    "12 bits": (tiff(WIDE[..., :1] >> 4, MIN_IS_BLACK, bits=12), GREY),
    "12 bits, white is 0": (tiff(WIDE[..., :1] >> 4, MIN_IS_WHITE, bits=12), 255 - GREY),
    "planes": (tiff(PHOTO, RGB, separate=True), PHOTO),
    "planes of 16 bits": (tiff(WIDE, RGB, separate=True), PHOTO),
    "planes of grey and opacity": (tiff(np.dstack([GREY, OPAQUE]), MIN_IS_BLACK, separate=True, extra=(2,)), GREY),
    "planes of grey and opacity, 16 bits": (
        tiff(np.dstack([GREY, OPAQUE]).astype(np.uint16) * 257, MIN_IS_BLACK, separate=True, extra=(2,)),
        GREY,
    ),
    "grey and opacity": (tiff(np.dstack([GREY, OPAQUE]), MIN_IS_BLACK, extra=(2,)), GREY),
    "planes of colour and opacity": (tiff(np.dstack([PHOTO, OPAQUE]), RGB, separate=True, extra=(2,)), PHOTO),
}

REFUSED_BY_BOTH = {"12 bits, white is 0", "planes of grey and opacity", "planes of grey and opacity, 16 bits"}


@pytest.mark.parametrize("name", TIFFS)
def test_a_tiff_is_read_right_or_refused(tmp_path, name):
    content, expected = TIFFS[name]
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    found = both(path)
    assert any(rows is not None for rows in found) or name in REFUSED_BY_BOTH
    for rows in found:
        assert rows is None or np.abs(rows - expected).max() <= 1


@pytest.mark.parametrize(
    ("content", "words"),
    [(tiff(PHOTO, LAB), "Lab colours: save it as RGB"), (tiff(WIDE[..., :1] >> 4, MIN_IS_BLACK, bits=12), "samples of 12 bits: save it")],
)
def test_what_upscale_refuses_of_a_tiff_it_calls_by_its_name(tmp_path, content, words):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ImageError, match=words):
        upscaled(tmp_path / "a.tif")


def test_colours_that_are_multiplied_by_opacity(tmp_path):
    """A HEIC may hold them so (its reference is called prem): they are divided again before anything is enlarged."""
    import pillow_heif

    alpha = np.linspace(60, 255, 62).astype(np.uint8)[None, :, None].repeat(40, 0)
    multiplied = np.dstack([np.round(PHOTO * (alpha / 255.0)).astype(np.uint8), alpha])
    for mode, samples in (("RGBa", multiplied), ("RGBA", np.dstack([PHOTO, alpha]))):
        path = tmp_path / f"{mode}.heic"
        made = pillow_heif.from_bytes(mode, (62, 40), samples.tobytes())
        made.save(path, quality=-1, chroma=444, matrix_coefficients=0)
        rows = upscaled(path)
        assert np.abs(rows[..., :3].astype(int) - PHOTO).max() <= 6 and np.abs(rows[..., 3:].astype(int) - alpha).max() <= 1
        assert np.abs(read_rgb(path).astype(int) - PHOTO).max() <= 6
    assert np.abs(multiplied[..., :3].astype(int) - PHOTO).max() > 100, "control"


def avif():
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "AVIF", quality=100, subsampling="4:4:4")
    return file.getvalue()


FLIPPED = {0: PHOTO[::-1], 1: PHOTO[:, ::-1]}
BOXES = {
    **{f"turned by {n}": ([turned_by(n)], np.rot90(PHOTO, n)) for n in range(4)},
    **{f"mirrored {axis}": ([mirrored(axis)], flipped) for axis, flipped in FLIPPED.items()},
    "turned, then mirrored": ([turned_by(1), mirrored(1)], np.rot90(PHOTO)[:, ::-1]),
    "cut": ([cut_to(40, 30, -6, 4)], PHOTO[7:37, 8:48]),
    "cut, then turned": ([cut_to(40, 30, -6, 4), turned_by(3)], np.rot90(PHOTO[7:37, 8:48], 3)),
}


@pytest.mark.parametrize("name", BOXES)
@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_what_the_container_does_with_a_picture(tmp_path, kind, name):
    boxes, expected = BOXES[name]
    path = tmp_path / f"a.{kind}"
    path.write_bytes(with_properties(heic(PHOTO) if kind == "heic" else avif(), *boxes))
    found = both(path)
    assert found[0] is not None
    for rows in found:
        assert rows is None or (rows.shape == expected.shape and np.abs(rows - expected).max() <= 3)


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("behind", [False, True])
def test_exif_at_any_place_of_a_png(tmp_path, orientation, prefix, behind):
    stored, block = turned(PHOTO, orientation), prefix + exif(orientation).tobytes().removeprefix(b"Exif\0\0")
    content = png(stored) if behind else png(stored, (b"eXIf", block))
    if behind:
        content = content[:-12] + png_chunk(b"eXIf", block) + content[-12:]
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for rows in both(path):
        np.testing.assert_array_equal(rows, PHOTO)
    assert ImageReader(path).metadata.exif


def test_nothing_but_exif_turns_a_photo(tmp_path):
    """Neither XMP nor ImageMagick's texts: no viewer turns by them, and pairs of photos would not fit."""
    words, text = PngImagePlugin.PngInfo(), PngImagePlugin.PngInfo()
    words.add_itxt("XML:com.adobe.xmp", xmp(6).decode())
    block = exif(6).tobytes()
    text.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=True)
    packet = {"xmp": xmp(6)}
    options = {
        "a.jpg": packet,
        "b.webp": packet,
        "c.avif": packet,
        "d.tif": {"tiffinfo": {700: xmp(6)}},
        "e.png": {"pnginfo": words},
        "f.png": {"pnginfo": text},
    }
    for name, given in options.items():
        Image.fromarray(PHOTO).save(tmp_path / name, **given)
        for rows in both(tmp_path / name):
            assert rows.shape == PHOTO.shape, name
