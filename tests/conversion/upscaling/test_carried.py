"""What a photo carries besides pixels: kept exactly, made true, or named when it goes; nothing is
invented.
"""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from support.odd_photos import heic, jpeg, png, xmp
from support.photos import exif, noise, png_chunks, profile, samples_of, save_pillow, smooth, turned
from support.tiny_models import SCALE, FakeEngine, nearest

from conversion.upscaling.exif_block import upright_exif
from conversion.upscaling.icc_profiles import carried_profile
from conversion.upscaling.libvips import pyvips
from conversion.upscaling.named_colours import profile_of
from conversion.upscaling.pipeline import UpscaleOptions, upscale_file
from conversion.upscaling.xmp_packet import upright_xmp
from keras_models.system.errors import ImageError

FORMATS = [".png", ".jpg", ".webp", ".tif", ".avif"]
WITH_EXIF = [".png", ".jpg", ".webp", ".avif"]


def upscaled(source, suffix, **options):
    target = source.with_name(f"out-{source.name}{suffix}")
    notes = upscale_file(source, target, FakeEngine(nearest), UpscaleOptions(**options))
    return target, [note.partition(": ")[2] for note in notes]


def written(folder, content, name="a.png"):
    (folder / name).write_bytes(content)
    return folder / name


def chunks_of(path):
    found = {}
    for name, body in png_chunks(path.read_bytes()):
        found.setdefault(name, []).append(body)
    return found


# --- PNG's colours

GAMA = (b"gAMA", (100_000).to_bytes(4, "big"))
P3_CORNERS = (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
NAMED = {
    "gamma 1": [GAMA],
    "gamma 1.8 and P3": [(b"gAMA", (55556).to_bytes(4, "big")), P3_CORNERS],
    "sRGB": [(b"sRGB", b"\0"), (b"gAMA", (45455).to_bytes(4, "big"))],
    "cICP Display P3": [(b"cICP", bytes((12, 13, 0, 1)))],
    "cICP PQ": [(b"cICP", bytes((9, 16, 0, 1))), (b"mDCV", bytes(24)), (b"cLLI", bytes(8))],
    "cICP HLG": [(b"cICP", bytes((9, 18, 0, 1)))],
}


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_keeps_its_colour_chunks(tmp_path, name, dtype):
    source = written(tmp_path, png(noise(dtype=dtype), *NAMED[name]))
    target, notes = upscaled(source, ".png")
    found = chunks_of(target)
    assert {key: found[key] for key, _ in NAMED[name]} == {key: [body] for key, body in NAMED[name]}
    assert set(found) == {b"IHDR", b"IDAT", b"IEND", *(key for key, _ in NAMED[name])}
    assert any("(HDR)" in note for note in notes) == ("PQ" in name or "HLG" in name)
    np.testing.assert_array_equal(samples_of(target), noise(dtype=dtype).repeat(SCALE, 0).repeat(SCALE, 1))


@pytest.mark.parametrize("suffix", FORMATS[1:])
@pytest.mark.parametrize("name", ["cICP PQ", "cICP HLG"])
def test_hdr_curves_are_not_written_where_nothing_can_name_them(tmp_path, name, suffix):
    source = written(tmp_path, png(noise(), *NAMED[name]))
    with pytest.raises(
        ImageError, match=f"colours are {name[5:]} .HDR., which only PNG can say here: choose `format` png"
    ):
        upscaled(source, suffix)


def seen(path):
    """What a viewer with colour management shows: sRGB by lcms, from the profile in the file or, without
    one, as it is.
    """
    with Image.open(path) as image:
        image.load()
        block, picture = image.info.get("icc_profile"), image.convert("RGB") if image.mode != "L" else image
    if not block:
        return np.asarray(picture.convert("RGB")).astype(float)
    own = ImageCms.ImageCmsProfile(io.BytesIO(block))
    return np.asarray(
        ImageCms.profileToProfile(picture, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    ).astype(float)


def srgb_curve(linear):
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def to_srgb(samples, linear, primaries=None):
    """What chunks say, from the definitions: sRGB as float in 0..255."""
    values = linear(samples.astype(float) / 255)
    if primaries:
        white = np.array([0.3127, 0.3290, 1 - 0.3127 - 0.3290]) / 0.3290

        def matrix(corners):
            columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in corners]).T
            return columns * np.linalg.solve(columns, white)

        values = (
            values @ (np.linalg.inv(matrix(((0.64, 0.33), (0.3, 0.6), (0.15, 0.06)))) @ matrix(primaries)).T
        )
    return np.clip(srgb_curve(values), 0, 1) * 255


P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
DECODED = {
    "gamma 1": (lambda v: v, None),
    "gamma 1.8 and P3": (lambda v: v**1.8, P3),
    "cICP Display P3": (lambda v: np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4), P3),
}


@pytest.mark.parametrize("suffix", FORMATS[1:])
@pytest.mark.parametrize("name", DECODED)
def test_other_formats_show_the_same_colours_by_a_profile(tmp_path, name, suffix):
    samples = np.clip(smooth(40, 60), 60, 190)  # inside of sRGB whatever the primaries
    samples[..., 1], samples[..., 2] = samples[..., 0] // 3 + 40, samples[..., 0] // 2 + 30
    target, _ = upscaled(
        written(tmp_path, png(samples, *NAMED[name])),
        suffix,
        **({} if suffix == ".tif" else {"quality": 100}),
    )
    wanted = to_srgb(samples, *DECODED[name]).repeat(SCALE, 0).repeat(SCALE, 1)
    error = np.abs(seen(target) - wanted).mean()
    assert error < 2
    assert np.abs(samples.repeat(SCALE, 0).repeat(SCALE, 1) - wanted).mean() > max(2, 2 * error), (
        "the control: without a profile"
    )


def test_chunks_that_say_srgb_need_no_profile():
    assert profile_of(dict(NAMED["sRGB"]), 3) is None
    assert profile_of({b"gAMA": (45455).to_bytes(4, "big")}, 3) is None
    assert profile_of({b"cICP": bytes((1, 13, 0, 1))}, 3) is None
    assert profile_of({b"cHRM": bytes(32)}, 3) is None and profile_of({b"gAMA": bytes(4)}, 1) is None


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_grey_picture_with_a_gamma(tmp_path, suffix):
    samples = smooth(40, 60, 1)
    target, _ = upscaled(written(tmp_path, png(samples, GAMA)), suffix)
    if suffix == ".png":
        assert chunks_of(target)[b"gAMA"] == [GAMA[1]]
    else:
        wanted = to_srgb(samples, lambda v: v).repeat(SCALE, 0).repeat(SCALE, 1)
        assert np.abs(seen(target) - wanted).mean() < 3


@pytest.mark.parametrize(("primaries", "transfer"), [(12, 13), (9, 16), (9, 18), (1, 13)])
def test_what_heic_names_its_colours_becomes_cicp(tmp_path, primaries, transfer):
    content = heic(
        smooth(40, 60), save_nclx_profile=True, color_primaries=primaries, transfer_characteristics=transfer
    )
    target, notes = upscaled(written(tmp_path, content, "a.heic"), ".png")
    wanted = None if (primaries, transfer) == (1, 13) else [bytes((primaries, transfer, 0, 1))]
    assert chunks_of(target).get(b"cICP") == wanted
    assert any("(HDR)" in note for note in notes) == (transfer in (16, 18))


# --- profiles


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("more", [1, 2, 3, 4, 100])
def test_a_padded_profile_is_cut_to_its_length(tmp_path, suffix, more):
    source = written(tmp_path, jpeg(smooth(20, 30), icc_profile=profile() + bytes(more)), "a.jpg")
    target, notes = upscaled(source, suffix)
    assert notes == [] and pyvips.Image.new_from_file(str(target)).get("icc-profile-data") == profile()


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("more", [1, 2, 3])
def test_a_profile_of_odd_length_is_filled_up(tmp_path, suffix, more):
    odd = profile() + bytes(more)
    odd = len(odd).to_bytes(4, "big") + odd[4:]
    target, notes = upscaled(written(tmp_path, jpeg(smooth(20, 30), icc_profile=odd), "a.jpg"), suffix)
    block = pyvips.Image.new_from_file(str(target)).get("icc-profile-data")
    assert notes == [] and len(block) % 4 == 0 and block[128:].startswith(odd[128:])
    ImageCms.ImageCmsProfile(io.BytesIO(block))


def grey_icc():
    from conversion.upscaling.icc_profiles import grey_profile

    return grey_profile("gamma 1.6", (1.6,))


BROKEN = {
    "text": b"no profile at all, but long enough to be one" * 5,
    "cut": profile()[:200],
    "half": profile()[: len(profile()) // 2],
    "tags outside": profile()[:132] + b"\xff" * 12 + profile()[144:],
    "of grey": grey_icc(),
    "empty tags": profile()[:128] + (2**31).to_bytes(4, "big") + profile()[132:],
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", BROKEN)
def test_a_profile_that_cannot_be_carried_is_dropped_and_said(tmp_path, suffix, name):
    target, notes = upscaled(
        written(tmp_path, jpeg(smooth(20, 30), icc_profile=BROKEN[name]), "a.jpg"), suffix
    )
    assert notes == ["its colour profile is damaged, or not one of an RGB picture, and goes"]
    assert not pyvips.Image.new_from_file(str(target)).get_typeof("icc-profile-data")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_grey_profile_is_kept_or_applied(tmp_path, suffix):
    """WebP and AVIF know no grey: there the picture becomes sRGB. What is seen is the same."""
    samples = smooth(40, 60, 1)
    source = written(tmp_path, jpeg(samples, icc_profile=grey_icc()), "a.jpg")
    target, notes = upscaled(source, suffix)
    assert notes == []
    wanted = to_srgb(samples, lambda v: v**1.6).repeat(SCALE, 0).repeat(SCALE, 1)
    assert np.abs(seen(target) - wanted).mean() < 3
    if suffix in (".png", ".jpg", ".tif"):
        assert pyvips.Image.new_from_file(str(target)).get("icc-profile-data") == grey_icc()


def test_a_grey_picture_with_an_rgb_profile(tmp_path):
    target, notes = upscaled(
        written(tmp_path, jpeg(smooth(20, 30, 1), icc_profile=profile()), "a.jpg"), ".png"
    )
    assert notes == [
        "its colour profile is damaged, or not one of a grey picture, and goes"
    ] and b"iCCP" not in chunks_of(target)


def test_a_good_profile_is_not_touched():
    assert carried_profile(profile(), 3) == profile() and carried_profile(profile(), 1) is None


# --- texts


def test_texts_are_kept_in_png_and_named_elsewhere(tmp_path):
    texts = [
        (b"tEXt", b"Title\0A photo"),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"long")),
        (b"iTXt", b"Author\0\0\0de\0\0" + "Bär".encode()),
    ]
    source = written(tmp_path, png(noise(), *texts))
    target, notes = upscaled(source, ".png")
    assert (
        notes == []
        and [(n, b) for n, b in png_chunks(target.read_bytes()) if n in (b"tEXt", b"zTXt", b"iTXt")] == texts
    )
    _, notes = upscaled(source, ".jpg")
    assert notes == [
        "its texts (Title, Comment, Author) do not fit into jpeg and go: `format` png keeps them"
    ]


def test_texts_behind_the_pixels_too(tmp_path):
    content = png(noise())
    end = content.rindex(b"\0\0\0\0IEND")
    text = png(noise(), (b"tEXt", b"Software\0Late"))
    chunk = text[text.index(b"tEXt") - 4 : text.index(b"tEXt") + 4 + 13 + 4]
    target, _ = upscaled(written(tmp_path, content[:end] + chunk + content[end:]), ".png")
    assert chunks_of(target)[b"tEXt"] == [b"Software\0Late"]


# --- EXIF and XMP


@pytest.mark.parametrize("suffix", WITH_EXIF)
@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_exif_is_kept_but_for_three_numbers(tmp_path, suffix, orientation):
    tags = exif(orientation)
    inner = tags.get_ifd(0x8769)
    inner[0xA002], inner[0xA003], inner[0x9286] = 30, 20, b"ASCII\0\0\0comment"
    stored = turned(smooth(20, 30), orientation)
    target, _ = upscaled(written(tmp_path, jpeg(stored, exif=tags), "a.jpg"), suffix)
    made = Image.open(target).getexif()
    # In AVIF the tag is taken out: orientation is a property of the picture there.
    assert {0x0112: 1, **dict(made)} | {0x8769: 0} == {
        0x0112: 1,
        0x010F: "Camera maker",
        0x0132: "2021:02:03 04:05:06",
        0x8769: 0,
    }
    assert dict(made.get_ifd(0x8769)) == {0xA002: 60, 0xA003: 40, 0x9286: b"ASCII\0\0\0comment"}


def test_odd_exif_is_written_as_it_is(tmp_path):
    """A tag of a type that it cannot have, which Pillow reads but cannot write again; found by fuzzing."""
    odd = bytearray(exif(6).tobytes().removeprefix(b"Exif\0\0"))
    place = odd.index(b"\x01\x0f") if odd.startswith(b"MM") else odd.index(b"\x0f\x01")
    odd[place + 2 : place + 4] = b"\x00\x09" if odd.startswith(b"MM") else b"\x09\x00"
    for suffix in WITH_EXIF:
        target, notes = upscaled(
            written(tmp_path, jpeg(smooth(20, 30), exif=b"Exif\0\0" + bytes(odd)), "a.jpg"), suffix
        )
        assert notes == [] and bytes(odd[place : place + 12]) in target.read_bytes(), suffix


def test_exif_numbers_larger_than_a_short():
    tags = exif(6)
    inner = tags.get_ifd(0x8769)
    inner[0xA002], inner[0xA003] = 30, 20
    made = Image.Exif()
    made.load(b"Exif\0\0" + upright_exif(tags.tobytes(), 70_000, 65_535))
    assert dict(made.get_ifd(0x8769)) == {0xA002: 70_000, 0xA003: 65_535}


def test_the_thumbnail_of_the_old_picture_is_unlinked():
    block = bytearray(
        b"II*\0\x08\0\0\0"
        + struct.pack("<H", 1)
        + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
        + struct.pack("<I", 26)
        + bytes(40)
    )
    assert struct.unpack_from("<I", upright_exif(bytes(block), 5, 5), 22) == (0,)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"x",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\x05\0",
    ],
)
@pytest.mark.parametrize("suffix", FORMATS)
def test_damaged_exif_goes_alone(tmp_path, suffix, block):
    file = io.BytesIO()
    Image.fromarray(smooth(20, 30)).save(file, "WEBP", lossless=True, exif=block or b"\0")
    target, notes = upscaled(written(tmp_path, file.getvalue(), "a.webp"), suffix)
    assert notes == ["its EXIF is damaged and goes"] and samples_of(target).shape[:2] == (40, 60)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("form", ["attribute", "element"])
@pytest.mark.parametrize("prefix", ["tiff", "t"])
def test_xmp_says_upright_after_turning(tmp_path, suffix, form, prefix):
    source = written(
        tmp_path, jpeg(turned(smooth(20, 30), 6), exif=exif(6), xmp=xmp(6, form, prefix)), "a.jpg"
    )
    target, _ = upscaled(source, suffix)
    assert pyvips.Image.new_from_file(str(target)).get("xmp-data") == xmp(1, form, prefix)


def test_xmp_of_a_photo_that_was_not_turned_is_not_touched(tmp_path):
    """Without an EXIF orientation no viewer turns the photo, nor do we."""
    target, _ = upscaled(written(tmp_path, jpeg(smooth(20, 30), xmp=xmp(6)), "a.jpg"), ".png")
    assert pyvips.Image.new_from_file(str(target)).get("xmp-data") == xmp(6)


@pytest.mark.parametrize("source_format", ["PNG", "WEBP", "TIFF"])
def test_xmp_of_other_formats(tmp_path, source_format):
    file = io.BytesIO()
    options = (
        {"exif": exif(6), "xmp": xmp(6)} if source_format != "TIFF" else {"tiffinfo": {274: 6, 700: xmp(6)}}
    )
    if source_format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp(6).decode())
        options.pop("xmp")
    Image.fromarray(turned(smooth(20, 30), 6)).save(file, source_format, **options)
    target, _ = upscaled(written(tmp_path, file.getvalue(), "a.png"), ".png")
    assert pyvips.Image.new_from_file(str(target)).get("xmp-data") == xmp(1)


def test_odd_xmp_is_quick_and_safe():
    """No text, other encodings, floods of tags that would cost a pattern the square of their number."""
    assert upright_xmp(b"\xff\xfe\xfd", 1, 1, True) == b"\xff\xfe\xfd"
    utf16 = xmp(6).decode().encode("utf-16")
    assert upright_xmp(utf16, 1, 1, True) == xmp(1)
    space = b'<a xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/">'
    flood = space + b"<hdrgm:Gamma>" * 70_000
    assert upright_xmp(flood, 1, 1, True) == flood
    both = space + b"<hdrgm:Gamma>1</hdrgm:Gamma>" * 30_000 + b"rest"
    assert upright_xmp(both, 1, 1, True) == space + b"rest"


# --- resolution


def test_resolution_is_never_invented(tmp_path):
    sources = {
        "p.png": ("PNG", {}),
        "j.jpg": ("JPEG", {}),
        "w.webp": ("WEBP", {"exif": exif(6)}),
        "t.tif": ("TIFF", {}),
        "b.avif": ("AVIF", {}),
    }
    sources |= {"je.jpg": ("JPEG", {"exif": exif(6)}), "g.gif": ("GIF", {})}
    for name, (kind, options) in sources.items():
        Image.fromarray(smooth(20, 30)).save(tmp_path / name, kind, **options)
        for suffix in FORMATS:
            target, _ = upscaled(tmp_path / name, suffix)
            assert told(target) is None, (name, suffix)


def told(path):
    """Dots an inch that a file tells, by Pillow; None if none."""
    with Image.open(path) as image:
        tags = image.getexif()
        inner = {tag: tags.get(tag) for tag in (282, 283)} if image.format != "TIFF" else {}
        assert all(value is None for value in inner.values()), inner
        if image.format == "TIFF":
            return (
                None
                if tags[296] == 1 and tags[282] == tags[283] == 1
                else tags[282] * {2: 1, 3: 2.54}[tags[296]]
            )
        if image.format == "JPEG":
            return None if image.info["jfif_unit"] == 0 else image.info["dpi"]
        return image.info.get("dpi")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_resolution_that_is_told_is_kept(tmp_path, kind, suffix):
    Image.fromarray(smooth(20, 30)).save(tmp_path / "a", kind, dpi=(300, 300))
    target, _ = upscaled(tmp_path / "a", suffix)
    assert np.allclose(np.array(told(target), float), 300, atol=0.5)


def test_pixels_that_are_not_square_stay_so_without_a_size(tmp_path):
    body = struct.pack(">IIB", 2, 1, 0)
    target, _ = upscaled(written(tmp_path, png(noise(), (b"pHYs", body))), ".png")
    assert chunks_of(target)[b"pHYs"] == [body]


def test_nothing_is_invented_in_a_plain_jpeg(tmp_path):
    target, _ = upscaled(save_pillow(tmp_path / "a.png", smooth(20, 30)), ".jpg")
    data = target.read_bytes()
    assert b"Exif" not in data and b"ICC_PROFILE" not in data and b"http" not in data


@pytest.mark.parametrize("alpha", [False, True])
def test_a_webp_with_exif_is_sound(tmp_path, alpha):
    """Our own chunk beside libvips' bytes: Pillow and libvips read pixels, transparency and EXIF."""
    samples = smooth(20, 31, 4 if alpha else 3)
    if alpha:
        samples[:10, ..., 3] = 0
    save_pillow(tmp_path / "a.png", samples, exif=exif(1))
    target, _ = upscaled(tmp_path / "a.png", ".webp", quality=100)
    with Image.open(target) as image:
        assert (
            image.getexif()[0x010F] == "Camera maker"
            and image.size == (62, 40)
            and image.mode == ("RGBA" if alpha else "RGB")
        )
        image.load()
    large = pyvips.Image.webpload(str(target)).numpy()
    assert large.shape == (40, 62, 4 if alpha else 3)
    if alpha:
        assert (large[:20, ..., 3] == 0).all() and (large[20:, ..., 3] == 255).all()
    size = int.from_bytes(target.read_bytes()[4:8], "little")
    assert size + 8 == target.stat().st_size
