"""Every format that phones and programs write is read, upright and with its samples; what moves, or is no
photo, is refused.
"""

import gzip
import io
import os

import numpy as np
import pytest
from PIL import Image
from support.odd_photos import apng, heic, jpeg, png, with_mpf
from support.photos import noise, samples_of, save_cmyk, save_pillow, smooth, turned
from support.tiny_models import SCALE, FakeEngine, nearest

from conversion.upscaling.images import ImageReader
from conversion.upscaling.libvips import pyvips
from conversion.upscaling.pipeline import UpscaleOptions, upscale_file
from keras_models.data.photo_formats import PHOTO_ENDINGS
from keras_models.data.read_rgb import read_rgb
from keras_models.system.errors import ImageError


def enlarged(samples):
    return samples.repeat(SCALE, 0).repeat(SCALE, 1)


def read_all(path):
    reader = ImageReader(path)
    return reader.read(reader.kind.height), reader


def saved(samples, kind, **options):
    file = io.BytesIO()
    Image.fromarray(samples).save(file, kind, **options)
    return file.getvalue()


def avif(samples, **options):
    return saved(samples, "AVIF", quality=100, subsampling="4:4:4", **options)


SMOOTH = smooth(40, 60)
READ = {
    ".png": saved(SMOOTH, "PNG"),
    ".apng": saved(SMOOTH, "PNG"),
    ".jpg": saved(SMOOTH, "JPEG", quality=98),
    ".jpeg": saved(SMOOTH, "JPEG", quality=98),
    ".jpe": saved(SMOOTH, "JPEG", quality=98),
    ".jfif": saved(SMOOTH, "JPEG", quality=98),
    ".jif": saved(SMOOTH, "JPEG", quality=98),
    ".mpo": with_mpf(jpeg(SMOOTH), jpeg(SMOOTH // 2)),
    ".webp": saved(SMOOTH, "WEBP", lossless=True),
    ".tif": saved(SMOOTH, "TIFF"),
    ".tiff": saved(SMOOTH, "TIFF", compression="tiff_lzw"),
    ".heic": heic(SMOOTH),
    ".heif": heic(SMOOTH),
    ".hif": heic(SMOOTH),
    ".avif": avif(SMOOTH),
    ".bmp": saved(SMOOTH, "BMP"),
    ".dib": saved(SMOOTH, "BMP"),
    ".gif": saved(SMOOTH, "GIF"),
}


def test_every_ending_of_the_list_is_tried_here():
    assert set(READ) == set(PHOTO_ENDINGS)


@pytest.mark.parametrize("ending", PHOTO_ENDINGS)
def test_every_format_is_read_by_every_reader(tmp_path, ending):
    """Within 2 of 255 of the pixels that were written (a GIF within its 256 colours), and alike for
    `upscale` and `train`.
    """
    path = tmp_path / f"a{ending}"
    path.write_bytes(READ[ending])
    rows, reader = read_all(path)
    assert (reader.kind.width, reader.kind.height, reader.kind.depth) == (60, 40, 8)
    most = {".gif": 40}.get(ending, 4 if ending[1] == "j" or ending == ".mpo" else 2)
    assert np.abs(rows[..., :3].astype(int) - SMOOTH).max() <= most
    assert np.abs(read_rgb(path).astype(int) - rows[..., :3]).max() <= 1
    upscale_file(path, tmp_path / "out.png", FakeEngine(nearest))
    np.testing.assert_array_equal(samples_of(tmp_path / "out.png"), enlarged(rows))


def test_the_content_decides_not_the_name(tmp_path):
    for number, content in enumerate(
        (READ[".png"], READ[".heic"], READ[".bmp"], READ[".gif"], READ[".avif"])
    ):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(content)
        assert read_all(path)[0].shape[:2] == read_rgb(path).shape[:2] == (40, 60)


def test_heic_equals_its_png_twin(tmp_path):
    samples = np.asarray(Image.fromarray(noise(12, 16)).resize((160, 120), Image.Resampling.BICUBIC))
    (tmp_path / "a.heic").write_bytes(heic(samples))
    (tmp_path / "a.png").write_bytes(saved(samples, "PNG"))
    for name in ("a.heic", "a.png"):
        upscale_file(tmp_path / name, tmp_path / f"{name}.out.png", FakeEngine(nearest))
    first, second = (samples_of(tmp_path / f"{name}.out.png").astype(int) for name in ("a.heic", "a.png"))
    assert np.abs(first - second).max() <= 2


@pytest.mark.parametrize(("kind", "bits"), [("heic", 10), ("avif", 10), ("avif", 12)])
def test_more_than_8_bits_are_kept_and_white_is_white(tmp_path, kind, bits):
    ramp = np.repeat(np.linspace(0, 65535, 256).astype(np.uint16)[None, :, None], 3, 2).repeat(64, 0)
    path = tmp_path / f"a.{kind}"
    if kind == "heic":
        path.write_bytes(heic(ramp))
    else:
        image = pyvips.Image.new_from_array(ramp).copy(interpretation="rgb16")
        image.heifsave(str(path), compression="av1", lossless=True, bitdepth=bits)
    rows, reader = read_all(path)
    assert reader.kind.depth == 16 and (rows[:, -1] == 65535).all() and (rows[:, 0] == 0).all()
    assert np.abs(rows.astype(int) - ramp).max() <= 65535 / 2**bits + 1
    assert (read_rgb(path)[:, -1] == 255).all()


def test_turned_heic_and_avif_come_upright(tmp_path):
    """irot and imir are applied once, and an EXIF orientation beside them not once more."""
    import pillow_heif

    tag = Image.Exif()
    tag[0x0112] = 6
    picture = Image.fromarray(turned(SMOOTH, 6))
    heif = pillow_heif.from_pillow(picture)
    heif.info["exif"] = tag.tobytes()
    heif.save(tmp_path / "a.heic", quality=-1, chroma=444, matrix_coefficients=0)
    picture.save(tmp_path / "a.avif", exif=tag, quality=100, subsampling="4:4:4")
    for name in ("a.heic", "a.avif"):
        rows, _ = read_all(tmp_path / name)
        assert rows.shape == SMOOTH.shape and np.abs(rows.astype(int) - SMOOTH).max() <= 2, name
        assert np.abs(read_rgb(tmp_path / name).astype(int) - SMOOTH).max() <= 2, name
        upscale_file(tmp_path / name, tmp_path / f"{name}.jpg", FakeEngine(nearest))
        assert Image.open(tmp_path / f"{name}.jpg").getexif().get(0x0112, 1) == 1


def test_a_tiff_of_luma_and_chroma_is_read_right_or_refused(tmp_path):
    picture = Image.fromarray(SMOOTH).convert("YCbCr")
    picture.save(tmp_path / "raw.tif")
    with pytest.raises(ImageError, match="luma and chroma without JPEG compression: save it as RGB"):
        ImageReader(tmp_path / "raw.tif")
    pyvips.Image.new_from_array(SMOOTH).copy(interpretation="srgb").tiffsave(
        str(tmp_path / "packed.tif"), compression="jpeg", Q=98
    )
    assert np.abs(read_all(tmp_path / "packed.tif")[0].astype(int) - SMOOTH).max() <= 6


def test_bmp_palette_and_1_bit(tmp_path):
    for mode in ("1", "L", "P"):
        picture = Image.fromarray(SMOOTH).convert(mode)
        picture.save(tmp_path / f"{mode}.bmp")
        rows, reader = read_all(tmp_path / f"{mode}.bmp")
        wanted = np.asarray(picture.convert("RGB" if mode == "P" else "L")).reshape(40, 60, -1)
        np.testing.assert_array_equal(rows, wanted)
        assert reader.kind.colours == (3 if mode == "P" else 1)


def moving(kind):
    frames = [Image.fromarray(SMOOTH // (n + 1)) for n in range(3)]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    return file.getvalue()


def two_heics():
    import pillow_heif

    heif = pillow_heif.from_pillow(Image.fromarray(SMOOTH))
    heif.add_from_pillow(Image.fromarray(SMOOTH // 2))
    file = io.BytesIO()
    heif.save(file, quality=90)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("apng", apng(3)),
        ("apng with a picture before", apng(1, first_is_one=False)),
        ("gif", moving("GIF")),
        ("webp", moving("WEBP")),
        ("tiff", moving("TIFF")),
        ("avif", moving("AVIF")),
        ("heic", two_heics()),
    ],
)
def test_more_than_one_picture_is_refused_by_every_reader(tmp_path, name, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for read in (ImageReader, read_rgb):
        with pytest.raises(
            ImageError, match=r"a\.png: \w+ pages or frames: save each one as an image of its own"
        ):
            read(path)


def test_an_apng_of_one_frame_is_a_photo(tmp_path):
    chunks = [(b"acTL", (1).to_bytes(4, "big") + bytes(4)), (b"fcTL", bytes(26))]
    (tmp_path / "a.png").write_bytes(png(SMOOTH, *chunks))
    np.testing.assert_array_equal(read_all(tmp_path / "a.png")[0], SMOOTH)


def test_further_pictures_of_a_jpeg_are_said(tmp_path):
    (tmp_path / "a.jpg").write_bytes(with_mpf(jpeg(SMOOTH), jpeg(SMOOTH // 2), jpeg(SMOOTH // 3)))
    notes = upscale_file(tmp_path / "a.jpg", tmp_path / "out.jpg", FakeEngine(nearest))
    assert notes == (f"{tmp_path / 'a.jpg'}: of its 3 pictures the first is taken, the others go",)
    assert getattr(Image.open(tmp_path / "out.jpg"), "n_frames", 1) == 1


def test_a_motion_photo_says_that_its_film_goes(tmp_path):
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        b' xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"/></rdf:RDF>'
        b"</x:xmpmeta>"
    )
    (tmp_path / "a.jpg").write_bytes(jpeg(SMOOTH, xmp=packet) + b"\0\0\0\x18ftypmp42" + bytes(5000))
    notes = upscale_file(tmp_path / "a.jpg", tmp_path / "out.jpg", FakeEngine(nearest))
    assert notes == (f"{tmp_path / 'a.jpg'}: the film behind it goes",)
    assert b"MotionPhoto" not in (tmp_path / "out.jpg").read_bytes()


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_transparency_of_heic_and_avif(tmp_path, kind):
    samples = smooth(40, 60, 4)
    samples[:, :30, 3] = 0
    (tmp_path / "a").write_bytes(heic(samples) if kind == "heic" else avif(samples))
    rows, reader = read_all(tmp_path / "a")
    assert reader.kind.alpha and (rows[:, :30, 3] == 0).all() and (rows[:, 30:, 3] == 255).all()


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\n(ran) print\nshowpage\n%%EOF\n"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' width='20' height='20'><rect width='9' height='9'/></svg>"
FOREIGN = {
    "EPS": EPS,
    "EPS with a preview": b"\xc5\xd0\xd3\xc6" + bytes(28) + EPS,
    "SVG": SVG,
    "SVG after a space": b"\n " + SVG,
    "gzipped SVG": gzip.compress(SVG),
    "PDF": b"%PDF-1.4\n",
    "PPM": b"P6 2 2 255\n" + bytes(12),
    "TGA": bytes([0, 0, 2]) + bytes(9) + bytes([2, 0, 2, 0, 24, 0]) + bytes(12),
    "PCX": bytes([10, 5, 1, 8]) + bytes(124),
    "ICO": saved(smooth(16, 16), "ICO"),
    "JPEG 2000": saved(smooth(16, 16), "JPEG2000"),
    "Photoshop": b"8BPS\0\1" + bytes(60),
    "DDS": saved(smooth(16, 16), "DDS"),
    "CSV": b"1,2,3\n4,5,6\n",
    "libvips' own": b"\xb6\xa6\xf2\x08" + bytes(60),
    "video": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(40),
    "fits": b"SIMPLE  =                    T" + bytes(2850),
}


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".gif", ".heic"])
@pytest.mark.parametrize("name", FOREIGN)
def test_only_listed_decoders_see_a_byte(tmp_path, monkeypatch, name, ending):
    """A `gs` lies first on the path and must not be started; libvips and Pillow are not asked at all."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tools / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / f"photo{ending}"
    path.write_bytes(FOREIGN[name])
    for read in (ImageReader, read_rgb):
        with pytest.raises(ImageError, match=r"photo\.\w+: .*give a whole PNG") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "started").exists()


def test_the_control_of_gs_works(tmp_path, monkeypatch):
    """Pillow left to itself does start the `gs` of the test above."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tools / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    (tmp_path / "photo.png").write_bytes(EPS)
    with pytest.raises(OSError), Image.open(tmp_path / "photo.png") as image:
        image.load()
    assert (tmp_path / "started").exists()


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_an_rgb_coded_grey_photo_comes_out_grey(tmp_path, bands):
    """With a network that tints: chroma is gone where the photo is grey, and stays where it is not."""

    def tinting(window):
        return nearest(window) + np.array([0.02, 0, -0.02], np.float32)

    grey = noise(40, 48, 1)
    samples = (
        np.repeat(grey, 3, 2)
        if bands % 2
        else np.concatenate([np.repeat(grey, 3, 2), noise(40, 48, 1, seed=1)], 2)
    )
    if bands < 3:
        samples = samples[..., -bands:]
    options = UpscaleOptions(tile=8, halo=4)
    upscale_file(save_pillow(tmp_path / "a.png", samples), tmp_path / "out.png", FakeEngine(tinting), options)
    out = samples_of(tmp_path / "out.png")
    if bands >= 3:
        visible = out[..., 3] > 0 if bands == 4 else np.ones(out.shape[:2], bool)
        assert np.ptp(out[..., :3][visible].astype(int), axis=-1).max() == 0
    colour = samples.copy()
    colour[20:, :, 0] ^= 255
    upscale_file(
        save_pillow(tmp_path / "b.png", colour), tmp_path / "colour.png", FakeEngine(tinting), options
    )
    if bands == 3:
        out = samples_of(tmp_path / "colour.png").astype(int)
        assert np.ptp(out[: 2 * 16], axis=-1).max() == 0 and np.ptp(out[2 * 24 :], axis=-1).min() > 0


def test_grey_does_not_depend_on_tiles(tmp_path):
    """The rule looks three pixels far, less than any halo: tiles make no difference where grey and colour
    meet.
    """
    samples = noise(60, 70)
    samples[10:50, 20:60] = samples[10:50, 20:60, :1]
    source = save_pillow(tmp_path / "a.png", samples)

    def tinting(window):
        return nearest(window) + np.array([0.02, 0, -0.02], np.float32)

    for name, tile in (("one.png", 100), ("many.png", 8)):
        upscale_file(source, tmp_path / name, FakeEngine(tinting), UpscaleOptions(tile=tile, halo=4))
    np.testing.assert_array_equal(samples_of(tmp_path / "one.png"), samples_of(tmp_path / "many.png"))


def test_cmyk_is_alike_for_upscale_and_train(tmp_path):
    """With an embedded profile; Pillow's plain conversion is 10 and more of 255 away."""
    samples = smooth(40, 50)
    path = save_cmyk(tmp_path / "a.jpg", samples)
    image = pyvips.Image.new_from_file(str(path))
    inks = image.copy()
    inks.set_type(pyvips.GValue.blob_type, "icc-profile-data", cmyk_profile())
    inks.jpegsave(str(tmp_path / "b.jpg"), Q=98)
    assert np.abs(read_rgb(tmp_path / "b.jpg").astype(int) - read_all(tmp_path / "b.jpg")[0]).mean() < 2
    assert np.abs(read_rgb(tmp_path / "b.jpg").astype(int) - samples).mean() < 4
    assert np.abs(read_rgb(path).astype(int) - samples).mean() > 10, "the control: without a profile"


def cmyk_profile():
    """libvips' own, as it embeds it."""
    image = (
        pyvips.Image.black(8, 8, bands=3)
        .copy(interpretation="srgb")
        .icc_transform("cmyk", input_profile="srgb")
    )
    return image.get("icc-profile-data")


def test_items_of_a_heif_that_cannot_be_named_are_refused(tmp_path):
    """pi-heif ends the process on them; the control has the same item with another name of four letters."""
    import pillow_heif

    tag = Image.Exif()
    tag[0x010F] = "maker"
    heif = pillow_heif.from_pillow(Image.fromarray(SMOOTH))
    heif.info["exif"] = tag.tobytes()
    heif.save(tmp_path / "a.heic", quality=-1)
    whole = (tmp_path / "a.heic").read_bytes()
    entry = whole.index(b"Exif", whole.index(b"iinf"))
    for word, good in ((b"Ex\xe9f", False), (b"\xff\xff\xff\xff", False), (b"Oxif", True)):
        path = tmp_path / "b.heic"
        path.write_bytes(whole[:entry] + word + whole[entry + 4 :])
        for read in (read_all, read_rgb):
            if good:
                read(path)
            else:
                with pytest.raises(ImageError, match="list of items is damaged"):
                    read(path)


def test_an_error_that_quotes_bytes_of_the_file_is_one_line_and_spoils_no_later_one(tmp_path):
    import pillow_heif

    tag = Image.Exif()
    tag[0x0112] = 6
    heif = pillow_heif.from_pillow(Image.fromarray(SMOOTH))
    heif.info["exif"] = tag.tobytes()
    heif.save(tmp_path / "a.heic", quality=-1)
    (tmp_path / "a.heic").write_bytes((tmp_path / "a.heic").read_bytes().replace(b"irot", b"iro\xf0"))
    (tmp_path / "b.png").write_bytes(READ[".png"][:40])
    with pytest.raises(ImageError, match="could not parse item property 'iro\ufffd'") as quoted:
        read_all(tmp_path / "a.heic")
    assert "\n" not in str(quoted.value)
    with pytest.raises(ImageError) as later:
        read_all(tmp_path / "b.png")
    assert "iro" not in str(later.value) and "\ufffd" not in str(later.value)
