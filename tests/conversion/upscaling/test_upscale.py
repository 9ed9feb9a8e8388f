"""`upscale` of one photo: tiles, kinds of images, exact sizes, and failures that leave nothing behind."""

import os

import numpy as np
import pytest
import pyvips
from PIL import Image
from support.photos import exif, noise, profile, samples_of, save_cmyk, save_pillow, save_vips, smooth, turned
from support.tiny_models import RECEPTIVE_FIELD, SCALE, TILE, FakeEngine, nearest

from conversion.engines.cpu import CpuEngine
from conversion.upscaling.pipeline import UpscaleOptions, upscale_array, upscale_file
from keras_models.system.errors import ImageError, MobileSRError, ModelError, OutputError

# Small tiles, so that small test images have many.
TILES = UpscaleOptions(tile=8, halo=2)


def enlarged(samples):
    return samples.repeat(SCALE, 0).repeat(SCALE, 1)


def run(source, engine, target=None, options=TILES):
    target = target or source.with_name("out.png")
    upscale_file(source, target, engine, options)
    return samples_of(target)


# --- tiles against the whole image


def test_no_seams_at_the_receptive_field_and_seams_without_halo(tiny_model):
    engine = CpuEngine(tiny_model("random"))
    image = np.random.default_rng(0).random((61, 47, 3), dtype=np.float32)
    whole = engine.run(image)
    assert np.abs(upscale_array(image, engine, tile=13, halo=RECEPTIVE_FIELD) - whole).max() <= 1e-5
    assert np.abs(upscale_array(image, engine, tile=13, halo=0) - whole).max() > 0.05
    assert np.abs(upscale_array(image, engine, tile=13, halo=RECEPTIVE_FIELD - 1) - whole).max() > 1e-4


def test_file_equals_array(tiny_model, tmp_path):
    engine = CpuEngine(tiny_model("random"))
    samples = noise(61, 47)
    out = run(save_pillow(tmp_path / "a.png", samples), engine, options=UpscaleOptions(tile=13, halo=RECEPTIVE_FIELD))
    whole = engine.run(samples.astype(np.float32) / 255)
    assert np.abs(out.astype(float) - np.clip(whole, 0, 1) * 255).max() < 0.51


def test_fixed_file_runs_by_windows_and_small_images_by_reflection(tiny_model):
    engine = CpuEngine(tiny_model("fixed"))
    image = np.random.default_rng(0).random((61, 47, 3), dtype=np.float32)
    whole = CpuEngine(tiny_model("random")).run(image)
    assert np.abs(upscale_array(image, engine, halo=RECEPTIVE_FIELD) - whole).max() <= 1e-5
    assert np.abs(upscale_array(image, engine, halo=0) - whole).max() > 0.05
    small = upscale_array(image[:5, :40], engine, halo=RECEPTIVE_FIELD)
    assert small.shape == (10, 80, 3)
    mirrored = np.concatenate([image[:5], image[3::-1], image[1:5], image[3:0:-1]])  # 16 rows, as the file wants
    np.testing.assert_array_equal(small[:, :20], engine.run(np.ascontiguousarray(mirrored[:, :TILE]))[:10, :20])
    with pytest.raises(MobileSRError, match="leave `tile` out"):
        upscale_array(image, engine, tile=8)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (7, 11), (8, 8), (31, 37), (12, 13)])
@pytest.mark.parametrize("bands", [1, 3])
def test_any_size(nearest_engine, tmp_path, size, bands):
    samples = noise(*size, bands)
    np.testing.assert_array_equal(run(save_pillow(tmp_path / "a.png", samples), nearest_engine), enlarged(samples))


def test_small_image_is_one_window():
    engine = FakeEngine(nearest)
    upscale_array(np.zeros((11, 10, 3), np.float32), engine, tile=8, halo=2)
    assert engine.windows == [(11, 10, 3)]


def test_int8_file(tiny_model, tmp_path):
    samples = noise(30, 30)
    out = run(save_pillow(tmp_path / "a.png", samples), CpuEngine(tiny_model("int8")))
    assert np.abs(out.astype(int) - enlarged(samples)).max() <= 2


# --- kinds of images


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("bands", "name"), [(1, "grey16"), (3, "rgb16")])
def test_16_bit_is_kept_exactly(nearest_engine, tmp_path, bands, name, suffix):
    samples = noise(31, 37, bands, np.uint16)
    out = run(save_vips(tmp_path / f"a{suffix}", samples, name), nearest_engine, tmp_path / f"out{suffix}")
    assert out.dtype == np.uint16
    # Grey passes through a mean of three channels, which is off by a rounding of float32.
    assert np.abs(out.astype(int) - enlarged(samples)).max() <= (0 if bands == 3 else 1)


def test_16_bit_becomes_8_in_jpeg_and_webp(nearest_engine, tmp_path):
    samples = smooth(31, 37).astype(np.uint16) * 257
    source = save_vips(tmp_path / "a.png", samples, "rgb16")
    for suffix in (".jpg", ".webp"):
        out = run(source, nearest_engine, tmp_path / f"out{suffix}", UpscaleOptions(quality=98))
        assert out.dtype == np.uint8
        assert np.abs(out.astype(int) - enlarged(samples) // 257).max() <= 10


def test_grey_stays_grey(nearest_engine, tmp_path):
    out = run(save_pillow(tmp_path / "a.png", noise(20, 20, 1)), nearest_engine)
    assert out.shape == (40, 40, 1)
    assert pyvips.Image.new_from_file(str(tmp_path / "out.png")).interpretation == "b-w"


def test_palette_and_cmyk(nearest_engine, tmp_path):
    palette = Image.fromarray(smooth(20, 20)).quantize(16)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(run(tmp_path / "palette.png", nearest_engine), enlarged(np.asarray(palette.convert("RGB"))))
    out = run(save_cmyk(tmp_path / "a.jpg", smooth(40, 50)), nearest_engine, tmp_path / "cmyk.png")
    assert np.abs(out.astype(int) - enlarged(smooth(40, 50))).mean() < 4
    assert pyvips.Image.new_from_file(str(tmp_path / "cmyk.png")).get("icc-profile-data")


def disc(size=40, dtype=np.uint8):
    """RGBA: a disc with a soft rim; what lies outside of it is set by the caller."""
    rows, columns = np.mgrid[0:size, 0:size] - size / 2
    alpha = np.clip(size / 3 - np.hypot(rows, columns), 0, 1)
    return np.concatenate([smooth(size, size), (alpha * 255)[..., None].astype(np.uint8)], -1)


def test_hidden_colour_never_shows(tiny_model, tmp_path):
    engine = CpuEngine(tiny_model("random"))
    white, green = disc(), disc()
    hidden = white[..., 3] == 0
    white[hidden, :3] = 255
    green[hidden, :3] = (0, 255, 0)
    first = run(save_pillow(tmp_path / "a.png", white), engine, tmp_path / "first.png")
    second = run(save_pillow(tmp_path / "b.png", green), engine, tmp_path / "second.png")
    np.testing.assert_array_equal(first, second)
    # The control: the same colours without transparency do change the result.
    opaque = [
        run(save_pillow(tmp_path / "c.png", image[..., :3].copy()), engine, tmp_path / f"{i}.png") for i, image in enumerate((white, green))
    ]
    assert (opaque[0] != opaque[1]).any()


def test_transparency_keeps_colour_and_exact_opacity(nearest_engine, tmp_path):
    image = disc()
    image[image[..., 3] == 0, :3] = 0
    out = run(save_pillow(tmp_path / "a.png", image), nearest_engine)
    np.testing.assert_array_equal(out[..., 3], enlarged(image)[..., 3])
    visible = out[..., 3] > 30
    assert np.abs(out.astype(int) - enlarged(image))[visible].max() <= 1


def test_opaque_windows_are_not_run_twice_and_stay_opaque(tmp_path):
    engine = FakeEngine(lambda window: nearest(window) * np.float32(0.99))
    image = disc(40)
    image[..., 3] = 255
    out = run(save_pillow(tmp_path / "a.png", image), engine, options=UpscaleOptions())
    assert len(engine.windows) == 1
    assert (out[..., 3] == 255).all()
    image[0, 0, 3] = 0
    out = run(save_pillow(tmp_path / "b.png", image), engine, tmp_path / "b_out.png", UpscaleOptions())
    assert len(engine.windows) == 3
    assert (out[12:, 12:, 3] == 255).all()  # although the network says 0.99


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_gives_the_upright_result(nearest_engine, tmp_path, orientation):
    upright = noise(21, 30)
    source = save_pillow(tmp_path / "a.png", turned(upright, orientation), exif=exif(orientation))
    np.testing.assert_array_equal(run(source, nearest_engine), enlarged(upright))
    made = Image.open(tmp_path / "out.png").getexif()
    assert made[0x0112] == 1 and made[0x010F] == "Camera maker"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_icc_profile_is_kept_byte_for_byte(nearest_engine, tmp_path, suffix):
    source = save_pillow(tmp_path / "a.png", noise(), icc_profile=profile(), exif=exif(6))
    target = tmp_path / f"out{suffix}"
    run(source, nearest_engine, target)
    assert pyvips.Image.new_from_file(str(target)).get("icc-profile-data") == profile()
    if suffix != ".tif":
        made = Image.open(target).getexif()
        assert made[0x010F] == "Camera maker" and made.get(0x0112, 1) == 1


# --- sizes the network does not have


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"factor": 1.5}, (60, 45)),
        ({"width": 50}, (50, 38)),
        ({"factor": 2.0}, (80, 60)),
        ({"width": 80}, (80, 60)),
        ({"factor": 0.5}, (20, 15)),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_exact_sizes(nearest_engine, tmp_path, options, size, suffix):
    source = save_pillow(tmp_path / "a.png", smooth(30, 40))
    out = run(source, nearest_engine, tmp_path / f"out{suffix}", UpscaleOptions(**options))
    assert out.shape[1::-1] == size
    if size == (60, 45):
        assert np.abs(out.astype(int) - smooth(45, 60)).max() <= 6


def test_resampled_transparency_has_no_fringe(nearest_engine, tmp_path):
    image = np.full((40, 40, 4), 200, np.uint8)
    image[:, 20:] = (255, 0, 0, 0)
    image[:, :20, 3] = 255
    out = run(save_pillow(tmp_path / "a.png", image), nearest_engine, options=UpscaleOptions(factor=1.3))
    assert np.abs(out[out[..., 3] > 8][:, :3].astype(int) - 200).max() <= 8


def test_sizes_above_the_network_are_refused(nearest_engine, tmp_path):
    source = save_pillow(tmp_path / "a.png", smooth(30, 40))
    for options in (UpscaleOptions(factor=2.1), UpscaleOptions(width=81)):
        with pytest.raises(MobileSRError, match="ask for less"):
            run(source, nearest_engine, options=options)
    with pytest.raises(MobileSRError, match="only one"):
        UpscaleOptions(factor=2, width=50)
    assert os.listdir(tmp_path) == ["a.png"]


# --- failures leave nothing behind


def blank(value):
    return lambda window: np.full((window.shape[0] * SCALE, window.shape[1] * SCALE, 3), value, np.float32)


def one_bad_pixel(window):
    result = nearest(window)
    result[3, 3, 1] = np.inf
    return result


@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (blank(0), "all black"),
        (blank(-3), "all black"),
        (blank(0.4), "flat colour"),
        (blank(2), "flat colour"),
        (blank(np.nan), "NaN"),
        (one_bad_pixel, "NaN"),
    ],
)
def test_a_result_that_is_no_picture_is_an_error(tmp_path, function, reason, bands):
    source = save_pillow(tmp_path / "a.png", noise(40, 40, bands))
    with pytest.raises(ModelError, match=reason):
        run(source, FakeEngine(function))
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("value", [0, 90, 255])
def test_a_flat_photo_may_stay_flat(tmp_path, value):
    source = save_pillow(tmp_path / "a.png", np.full((20, 20, 3), value, np.uint8))
    assert (run(source, FakeEngine(nearest)) == value).all()


def test_a_flat_grey_photo_that_turns_black_is_an_error(tmp_path):
    source = save_pillow(tmp_path / "a.png", np.full((20, 20, 3), 90, np.uint8))
    with pytest.raises(ModelError, match="all black"):
        run(source, FakeEngine(blank(0)))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupted_work_leaves_nothing(nearest_engine, tmp_path, error, suffix):
    source = save_pillow(tmp_path / "a.png", noise(40, 40))
    target = tmp_path / f"out{suffix}"
    target.write_bytes(b"the older output")

    def stop(done, total):
        if done == total // 2:
            assert len(os.listdir(tmp_path)) > 2  # the control: there is something to clean up
            raise error

    with pytest.raises(error):
        upscale_file(source, target, nearest_engine, UpscaleOptions(tile=8, halo=2, overwrite=True), stop)
    assert sorted(os.listdir(tmp_path)) == ["a.png", target.name]
    assert target.read_bytes() == b"the older output"


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_damage_in_mid_stream_leaves_nothing(nearest_engine, tmp_path, suffix):
    source = save_pillow(tmp_path / "a.png", noise(400, 300))
    source.write_bytes(source.read_bytes()[:-100_000])
    with pytest.raises(ImageError, match="damaged or cut off after row"):
        run(source, nearest_engine, tmp_path / f"out{suffix}", UpscaleOptions(tile=32, halo=2))
    assert os.listdir(tmp_path) == ["a.png"]


def test_outputs_are_protected(nearest_engine, tmp_path):
    source = save_pillow(tmp_path / "a.png", noise())
    with pytest.raises(ImageError, match="overwrite the input"):
        run(source, nearest_engine, source, UpscaleOptions(overwrite=True))
    os.link(source, tmp_path / "same.png")
    with pytest.raises(ImageError, match="overwrite the input"):
        run(source, nearest_engine, tmp_path / "same.png", UpscaleOptions(overwrite=True))
    run(source, nearest_engine)
    with pytest.raises(ImageError, match="use `overwrite`"):
        run(source, nearest_engine)
    run(source, nearest_engine, options=UpscaleOptions(overwrite=True))
    for target, reason in (("none/out.png", "cannot be written"), ("out.bmp", "format unknown"), ("out", "format unknown")):
        with pytest.raises((ImageError, OutputError), match=reason):
            run(source, nearest_engine, tmp_path / target)


def test_formats_that_cannot_hold_the_picture_are_refused_at_once(tmp_path):
    engine = FakeEngine(nearest)
    with pytest.raises(ImageError, match="transparency"):
        run(save_pillow(tmp_path / "a.png", noise(bands=4)), engine, tmp_path / "out.jpg")
    with pytest.raises(ImageError, match="more than webp can hold"):
        run(save_pillow(tmp_path / "b.png", noise(2, 9000)), engine, tmp_path / "out.webp")
    with pytest.raises(ImageError, match="leave `quality` out"):
        run(save_pillow(tmp_path / "c.png", noise()), engine, options=UpscaleOptions(quality=50))
    with pytest.raises(ImageError, match="12000x4800 pixels are more than the 50 million of an AVIF"):
        run(save_pillow(tmp_path / "d.png", noise(2400, 6000)), engine, tmp_path / "out.avif")
    assert engine.windows == []


def test_permissions_follow_the_umask(nearest_engine, tmp_path):
    run(save_pillow(tmp_path / "a.png", noise()), nearest_engine)
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "out.png").stat().st_mode & 0o777 == 0o666 & ~umask
