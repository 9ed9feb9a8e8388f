"""Ultra HDR stays Ultra HDR in a JPEG, read back by libvips; other formats lose the gain map and say so."""

import io

import numpy as np
import pytest
from PIL import Image
from support.odd_photos import HDRGM, gain_samples, ultra_hdr, ultra_hdr_by_xmp, xmp
from support.photos import profile, samples_of, smooth
from support.tiny_models import SCALE, FakeEngine, nearest

from conversion.upscaling.images import ImageReader
from conversion.upscaling.libvips import pyvips
from conversion.upscaling.pipeline import UpscaleOptions, upscale_file
from keras_models.data.read_rgb import read_rgb

UPRIGHT = smooth(60, 80)
LARGE = UPRIGHT.repeat(SCALE, 0).repeat(SCALE, 1).astype(int)


def upscaled(folder, content, name="out.jpg", options=None):
    (folder / "phone.jpg").write_bytes(content)
    notes = upscale_file(folder / "phone.jpg", folder / name, FakeEngine(nearest), options)
    return folder / name, notes


def gain_map(path):
    image = pyvips.Image.uhdrload(str(path), revalidate=True)
    gains = pyvips.Image.jpegload_buffer(image.get("gainmap-data")).numpy()
    return image, gains if gains.ndim == 3 else gains[..., None]


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_keeps_its_gain_map_turned_with_the_picture(tmp_path, orientation, bands):
    path, notes = upscaled(tmp_path, ultra_hdr(UPRIGHT, orientation, bands))
    image, gains = gain_map(path)
    assert notes == () and (image.width, image.height) == (160, 120)
    assert np.abs(image.numpy().astype(int) - LARGE).max() <= 6
    assert gains.shape == (30, 40, bands)
    assert np.abs(gains.astype(int) - gain_samples(30, 40)).max() <= 4
    assert image.get("gainmap-max-content-boost") == pytest.approx([4.0] * 3) and image.get(
        "gainmap-hdr-capacity-max"
    ) == pytest.approx(4)
    assert Image.open(path).getexif().get(0x0112, 1) == 1


def test_the_control_of_turning_would_fail():
    """The map of the test above looks different turned in any way."""
    gains = gain_samples(30, 40).astype(int)
    assert all(np.abs(gains - other).max() > 50 for other in (gains[::-1], gains[:, ::-1], gains[::-1, ::-1]))


def test_what_xmp_alone_tells_is_read(tmp_path):
    """As Android 14 writes it; the new file tells it by ISO 21496-1, so the old file's words about its
    second picture are gone.
    """
    content = ultra_hdr_by_xmp(UPRIGHT)
    assert HDRGM.encode() in content
    path, notes = upscaled(tmp_path, content)
    image, gains = gain_map(path)
    assert notes == () and np.abs(gains.astype(int) - gain_samples(30, 40)).max() <= 4
    assert image.get("gainmap-max-content-boost") == pytest.approx([4.0] * 3)
    packet = pyvips.Image.jpegload(str(path)).get("xmp-data")
    assert packet.count(b"hdrgm:Version") == packet.count(b"<Container:Directory") == 1
    assert f'Item:Length="{len(pictures(path)[1])}"'.encode() in packet and b'tiff:Make="Phone"' in packet


@pytest.mark.parametrize("source", [ultra_hdr(UPRIGHT, 6), ultra_hdr(UPRIGHT, 1, 3), ultra_hdr_by_xmp(UPRIGHT)])
def test_xmp_alone_would_do_for_android_14(tmp_path, source):
    """Without the segments of ISO 21496-1 libultrahdr reads the same numbers, from the XMP of both pictures."""
    path, _ = upscaled(tmp_path, source)
    content = path.read_bytes()
    assert content.count(b"urn:iso:std:iso:ts:21496:-1") == 2
    whole = pyvips.Image.uhdrload(str(path), revalidate=True)
    (tmp_path / "old.jpg").write_bytes(
        content.replace(b"urn:iso:std:iso:ts:21496:-1", b"urn:iso:std:iso:ts:00000:-0")
    )
    old = pyvips.Image.uhdrload(str(tmp_path / "old.jpg"))
    names = [name for name in whole.get_fields() if name.startswith("gainmap-") and name != "gainmap-data"]
    assert len(names) > 6
    for name in names:
        assert old.get(name) == pytest.approx(whole.get(name), abs=1e-5), name
    blank = content.replace(b"urn:iso:std:iso:ts:21496:-1", b"urn:iso:std:iso:ts:00000:-0").replace(
        b"hdrgm:Version", b"hdrgm:Nothing"
    )
    (tmp_path / "blank.jpg").write_bytes(blank)
    with pytest.raises(pyvips.Error):
        pyvips.Image.uhdrload(str(tmp_path / "blank.jpg"))


def test_the_index_of_pictures_is_right_for_other_readers(tmp_path):
    """Both pictures are whole JPEGs by the index alone, although EXIF and XMP were put before it and into the second."""
    path, _ = upscaled(tmp_path, ultra_hdr(UPRIGHT, 6))
    first, second = pictures(path)
    assert first + second == path.read_bytes()
    for picture in (first, second):
        assert picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9")
    assert Image.open(io.BytesIO(first)).size == (160, 120)
    gains = np.asarray(Image.open(io.BytesIO(second)).convert("L")).astype(int)
    assert np.abs(gains[..., None] - gain_samples(30, 40)).max() <= 4


def pictures(path):
    """The pictures of a file as Pillow reads the index of them."""
    data = path.read_bytes()
    with Image.open(path) as image:
        entries = image._getmp()[0xB002]
    start = data.index(b"MPF\0") + 4
    places = [0, *(start + entry["DataOffset"] for entry in entries[1:])]
    return [data[place : place + entry["Size"]] for place, entry in zip(places, entries)]


def test_profile_exif_and_xmp_come_along(tmp_path):
    path, _ = upscaled(
        tmp_path, ultra_hdr(UPRIGHT, 1, **{"icc-profile": profile(), "xmp": xmp(1), "exif": exif_block()})
    )
    image = pyvips.Image.jpegload(str(path))
    assert image.get("icc-profile-data") == profile()
    assert Image.open(path).getexif()[0x010F] == "Camera maker"


def exif_block():
    from support.photos import exif

    return exif().tobytes()


@pytest.mark.parametrize("name", ["out.png", "out.webp", "out.tif", "out.avif"])
def test_other_formats_say_that_the_gain_map_goes(tmp_path, name):
    path, notes = upscaled(tmp_path, ultra_hdr(UPRIGHT, 6), name)
    assert any(
        "its gain map (Ultra HDR) does not fit into" in note and "`format` jpeg keeps it" in note
        for note in notes
    )
    assert np.abs(samples_of(path).astype(int) - LARGE).max() <= (
        30 if name in ("out.webp", "out.avif") else 6
    )


def test_every_reader_sees_the_plain_photo(tmp_path):
    (tmp_path / "a.jpg").write_bytes(ultra_hdr(UPRIGHT, 6))
    reader = ImageReader(tmp_path / "a.jpg")
    assert np.abs(reader.read(60).astype(int) - UPRIGHT).max() <= 4
    assert np.abs(read_rgb(tmp_path / "a.jpg").astype(int) - UPRIGHT).max() <= 4


@pytest.mark.parametrize("options", [UpscaleOptions(factor=1.5), UpscaleOptions(width=50)])
def test_a_resampled_picture_keeps_it(tmp_path, options):
    path, _ = upscaled(tmp_path, ultra_hdr(UPRIGHT), options=options)
    assert gain_map(path)[1].shape[:2] == (30, 40)


def test_a_damaged_gain_map_loses_only_itself(tmp_path):
    content = ultra_hdr(UPRIGHT)
    second = content.rindex(b"\xff\xd8")
    path, notes = upscaled(tmp_path, content[: second + 200])
    assert [note.partition(": ")[2] for note in notes] == ["its gain map (Ultra HDR) cannot be read and goes"]
    assert np.abs(samples_of(path).astype(int) - LARGE).max() <= 6


SPOILT = [("Gamma", "0"), ("GainMapMax", "-3"), ("GainMapMax", "1e30"), ("GainMapMax", "NaN"), ("BaseRenditionIsHDR", "True")]


@pytest.mark.parametrize(("name", "value"), SPOILT)
def test_a_gain_map_of_impossible_numbers_goes_alone(tmp_path, name, value):
    """The photo is enlarged all the same, and what goes is said."""
    made, notes = upscaled(tmp_path, ultra_hdr_by_xmp(UPRIGHT, **{name: value}))
    assert any("gain map (Ultra HDR) cannot be read and goes" in note for note in notes)
    assert ImageReader(made).metadata.gain_map is None
    assert np.abs(samples_of(made).astype(int) - LARGE).max() <= 12


def test_control_possible_numbers_stay(tmp_path):
    made, notes = upscaled(tmp_path, ultra_hdr_by_xmp(UPRIGHT, Gamma="2.2", GainMapMax="1.5"))
    assert not notes and gain_map(made)[1].shape == (30, 40, 1)
