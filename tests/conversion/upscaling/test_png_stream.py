import io

import numpy as np
import pytest
import pyvips
from PIL import Image
from support.photos import exif, noise, png_chunks, profile, save_pillow

from conversion.upscaling.images import ImageKind, ImageReader
from conversion.upscaling.png_stream import PngStream


def encode(samples, portions, source=None):
    kind = ImageKind(samples.shape[1], samples.shape[0], 1 if samples.shape[2] < 3 else 3, samples.shape[2] % 2 == 0, 8 * samples.itemsize)
    file = io.BytesIO()
    png = PngStream(file, kind, source)
    for first in range(0, len(samples), portions):
        png.write(samples[first : first + portions])
    png.close()
    return file.getvalue()


def decode(png):
    samples = pyvips.Image.new_from_buffer(png, "", fail_on="warning").numpy()
    return samples if samples.ndim == 3 else samples[..., None]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("portions", [1, 7, 100])
def test_every_kind_is_exact(dtype, bands, portions):
    samples = noise(37, 23, bands, dtype)
    png = encode(samples, portions)
    np.testing.assert_array_equal(decode(png), samples)
    if dtype == np.uint8:
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))).reshape(samples.shape), samples)


def test_large_and_narrow_images():
    for shape in ((1, 1, 3), (1, 5000, 3), (5000, 1, 1), (700, 1000, 3)):
        samples = noise(*shape)
        np.testing.assert_array_equal(decode(encode(samples, 300)), samples)


def test_smooth_rows_are_compressed():
    samples = np.repeat(noise(1, 500), 500, axis=0)
    assert len(encode(samples, 100)) < samples.nbytes / 20


def test_metadata_is_kept(tmp_path):
    path = save_pillow(tmp_path / "a.jpg", noise(20, 30), exif=exif(), xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", dpi=(300, 300))
    image = Image.open(io.BytesIO(encode(noise(40, 60), 40, ImageReader(path).image)))
    assert image.getexif()[0x010F] == "Camera maker"
    assert image.getexif()[0x0112] == 1
    assert round(image.info["dpi"][0]) == 300
    size = image.getexif().get_ifd(0x8769)
    assert (size.get(0xA002, 60), size.get(0xA003, 40)) == (60, 40)
    again = pyvips.Image.new_from_buffer(encode(noise(40, 60), 40, ImageReader(path).image), "")
    assert again.get("xmp-data") == b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def test_icc_profile_is_kept_byte_for_byte(tmp_path):
    path = save_pillow(tmp_path / "a.png", noise(), icc_profile=profile())
    for samples in (noise(), noise(dtype=np.uint16), noise(bands=4)):
        png = encode(samples, 5, ImageReader(path).image)
        assert pyvips.Image.new_from_buffer(png, "").get("icc-profile-data") == profile()


def test_nothing_is_invented(tmp_path):
    path = save_pillow(tmp_path / "a.png", noise())
    assert {name for name, _ in png_chunks(encode(noise(), 5, ImageReader(path).image))} == {b"IHDR", b"IDAT", b"IEND"}


def test_wrong_rows_are_refused():
    with pytest.raises(ValueError, match="rows"):
        PngStream(io.BytesIO(), ImageKind(5, 5, 3, False, 8)).write(noise(2, 4))
    with pytest.raises(ValueError, match="rows"):
        PngStream(io.BytesIO(), ImageKind(5, 5, 3, False, 8)).close()
