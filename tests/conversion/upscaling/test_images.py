import numpy as np
import pytest
import pyvips
from PIL import Image
from support.photos import exif, noise, profile, samples_of, save_cmyk, save_pillow, save_vips, smooth, turned

from conversion.upscaling.images import ImageKind, ImageReader
from keras_models.system.errors import ImageError


def read_image(path):
    """A whole photo: its samples and its kind."""
    reader = ImageReader(path)
    return reader.read(reader.kind.height), reader.kind


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_8_bit_samples_are_exact(tmp_path, bands, suffix):
    samples = noise(bands=bands)
    read, kind = read_image(save_pillow(tmp_path / f"a{suffix}", samples))
    assert kind == ImageKind(13, 9, 1 if bands < 3 else 3, bands in (2, 4), 8)
    np.testing.assert_array_equal(read, samples)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("bands", "name"), [(1, "grey16"), (3, "rgb16"), (4, "rgb16")])
def test_16_bit_samples_are_exact(tmp_path, bands, name, suffix):
    samples = noise(bands=bands, dtype=np.uint16)
    read, kind = read_image(save_vips(tmp_path / f"a{suffix}", samples, name))
    assert (kind.depth, kind.bands, kind.white) == (16, bands, 65535)
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, samples)


def test_palette_and_1_bit(tmp_path):
    colours = Image.fromarray(smooth(20, 20)).quantize(16)
    colours.save(tmp_path / "palette.png")
    read, kind = read_image(tmp_path / "palette.png")
    assert (kind.colours, kind.alpha) == (3, False)
    np.testing.assert_array_equal(read, np.asarray(colours.convert("RGB")))
    bits = Image.fromarray(noise(9, 13, 1)[..., 0] > 127)
    for name in ("bits.png", "bits.tif"):
        bits.save(tmp_path / name)
        read, kind = read_image(tmp_path / name)
        assert kind == ImageKind(13, 9, 1, False, 8)
        np.testing.assert_array_equal(read[..., 0], np.asarray(bits) * 255)


def test_palette_with_transparency(tmp_path):
    image = Image.fromarray(smooth(20, 20)).quantize(16)
    image.save(tmp_path / "a.png", transparency=3)
    read, kind = read_image(tmp_path / "a.png")
    assert kind.alpha and set(np.unique(read[..., 3])) == {0, 255}


@pytest.mark.parametrize(("name", "options"), [("a.jpg", {"quality": 98}), ("a.webp", {"quality": 98})])
def test_lossy_formats(tmp_path, name, options):
    samples = smooth(40, 50)
    read, kind = read_image(save_pillow(tmp_path / name, samples, **options))
    assert kind == ImageKind(50, 40, 3, False, 8)
    assert np.abs(read.astype(int) - samples).max() <= 8


def test_cmyk_becomes_srgb_through_icc(tmp_path):
    samples = smooth(40, 50)
    path = save_cmyk(tmp_path / "a.jpg", samples)
    assert pyvips.Image.new_from_file(str(path)).interpretation == "cmyk"
    reader = ImageReader(path)
    read = reader.read(40)
    assert reader.kind.colours == 3 and not reader.kind.alpha
    assert reader.image.get("icc-profile-data")
    assert np.abs(read.astype(int) - samples).mean() < 4
    naive = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert np.abs(naive - samples).mean() > 10  # the control: what ignoring the profile gives


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_every_exif_orientation_gives_the_upright_image(tmp_path, orientation, suffix):
    upright = noise(9, 13)
    options = {"exif": exif(orientation)} if suffix == ".png" else {"tiffinfo": {274: orientation}}
    path = save_pillow(tmp_path / f"a{suffix}", turned(upright, orientation), **options)
    read, kind = read_image(path)
    assert (kind.width, kind.height) == (13, 9)
    np.testing.assert_array_equal(read, upright)
    assert orientation == 1 or samples_of(path).shape != upright.shape or (samples_of(path) != upright).any()


def test_rows_arrive_in_any_portions(tmp_path):
    samples = noise(31, 8)
    reader = ImageReader(save_pillow(tmp_path / "a.png", samples))
    parts = [reader.read(rows) for rows in (1, 13, 0, 10, 100)]
    assert [len(part) for part in parts] == [1, 13, 0, 10, 7]
    np.testing.assert_array_equal(np.concatenate(parts), samples)


def test_icc_profile_is_carried(tmp_path):
    reader = ImageReader(save_pillow(tmp_path / "a.png", noise(), icc_profile=profile()))
    assert reader.image.get("icc-profile-data") == profile()


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
@pytest.mark.parametrize("share", [0.02, 0.4, 0.9])
def test_truncated_files_are_errors(tmp_path, name, share):
    path = save_pillow(tmp_path / name, noise(200, 200))
    data = path.read_bytes()
    read_image(path)  # the control
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_damage_in_mid_stream_is_found_when_it_is_reached(tmp_path):
    path = save_pillow(tmp_path / "a.png", noise(400, 300))
    path.write_bytes(path.read_bytes()[:-100_000])
    reader = ImageReader(path)
    reader.read(10)
    with pytest.raises(ImageError, match="damaged or cut off after row 10"):
        reader.read(390)


@pytest.mark.parametrize("content", [b"", b"hello, I am text", b"\x89PNG\r\n\x1a\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_fakes_are_errors(tmp_path, content):
    path = tmp_path / "fake.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="give"):
        read_image(path)


def test_unreadable_kinds_say_why(tmp_path):
    with pytest.raises(ImageError, match="no such image file"):
        ImageReader(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="no such image file"):
        ImageReader(tmp_path)
    save_vips(tmp_path / "float.tif", noise().astype(np.float32), "rgb")
    with pytest.raises(ImageError, match="samples of type float"):
        ImageReader(tmp_path / "float.tif")
    pages = [Image.fromarray(noise(seed=seed)) for seed in (1, 2)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match="2 pages"):
        ImageReader(tmp_path / "pages.tif")
    pages[0].save(tmp_path / "moving.gif")
    with pytest.raises(ImageError):
        ImageReader(tmp_path / "moving.gif")
