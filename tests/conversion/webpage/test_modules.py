"""The page's modules against Python's: run by node, on the same numbers and files."""

import io
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image
from support.photos import exif, noise, profile, save_pillow, save_vips, smooth

from conversion.upscaling.tiles import plan_fixed_tiles

MODULES = Path(__file__).parents[3] / "conversion/webpage/js"


def run(script: str, *inputs: bytes) -> bytes:
    """What a script prints that may import the page's modules; it finds the inputs in `input`."""
    node = shutil.which("node")
    if node is None:
        assert not os.environ.get("MOBILE_SR_REQUIRE_SHARED"), "node must be there in CI"
        pytest.skip("needs node: run scripts/page_packages.sh")
    head = f"""
        import {{ readFileSync }} from "node:fs";
        const load = (name) => import("{MODULES.as_uri()}/" + name + ".js");
        const input = JSON.parse(readFileSync(0, "utf-8")).map((text) => Uint8Array.from(Buffer.from(text, "hex")));
        const print = (bytes) => process.stdout.write(Buffer.from(bytes));
    """
    texts = json.dumps([data.hex() for data in inputs]).encode()
    process = subprocess.run(
        [node, "--input-type=module", "-e", head + script],
        input=texts,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr.decode()
    return process.stdout


def test_tiles_are_those_of_python():
    drawn = random.Random(5)
    cases = []
    for _ in range(2000):
        halo = drawn.randrange(40)
        cases.append((drawn.randrange(1, 3000), 2 * halo + drawn.randrange(1, 300), halo))
    ours = [plan_fixed_tiles(length, 1, (window, window), halo).rows for length, window, halo in cases]
    expected = [  # a window that is larger than a photo is filled up elsewhere
        [[s.start, min(s.size, length), s.core_start, s.core_stop] for s in spans] for spans, (length, _, _) in zip(ours, cases)
    ]
    script = """
        const { spans } = await load("tiles");
        const plan = (c) => spans(...c).map((s) => [s.start, s.size, s.first, s.last]);
        print(Buffer.from(JSON.stringify(JSON.parse(Buffer.from(input[0])).map(plan))));
    """
    assert json.loads(run(script, json.dumps(cases).encode())) == expected


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("band_of_rows", [1, 7, 400])
def test_png_is_what_was_fed(bands, band_of_rows):
    samples = noise(31, 400, bands)  # several slices with 400 rows at once would need more: see the next test
    script = f"""
        const {{ PngStream }} = await load("png");
        const png = new PngStream(400, 31, {bands}, {{ exif: input[1], icc: input[2] }});
        for (let at = 0; at < input[0].length; at += {band_of_rows} * 400 * {bands}) {{
          await png.write(input[0].subarray(at, at + {band_of_rows} * 400 * {bands}));
        }}
        print(await (await png.close()).arrayBuffer());
    """
    tiff = exif(1).tobytes().removeprefix(b"Exif\0\0")
    data = run(script, samples.tobytes(), tiff, profile())
    image = pyvips.Image.new_from_buffer(data, "", fail_on="error")
    assert np.array_equal(np.asarray(image.numpy()).reshape(samples.shape), samples)
    if bands > 2:  # a profile of RGB may not stand in a grey PNG
        assert image.get("icc-profile-data") == profile()
    assert Image.open(io.BytesIO(data)).getexif()[0x010F] == "Camera maker"


def test_png_of_many_slices():
    samples = noise(600, 1000, 3)
    script = """
        const { PngStream } = await load("png");
        const png = new PngStream(1000, 600, 3, { exif: null, icc: null });
        await png.write(input[0]);
        print(await (await png.close()).arrayBuffer());
    """
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(run(script, samples.tobytes())))), samples)


@pytest.mark.parametrize(
    ("height", "width", "bands"), [(64, 96, 3), (61, 93, 3), (1, 1, 3), (33, 8, 1), (7, 200, 1)]
)
def test_jpeg_is_as_good_as_that_of_a_library(height, width, bands):
    samples = smooth(height, width, bands) // 2 + noise(height, width, bands) // 4
    script = f"""
        const {{ JpegStream }} = await load("jpeg");
        const jpeg = new JpegStream({width}, {height}, {bands}, {{ exif: input[1], icc: input[2] }});
        for (let at = 0, step = 5 * {width * bands}; at < input[0].length; at += step) {{
          await jpeg.write(input[0].subarray(at, at + step));
        }}
        print(await (await jpeg.close()).arrayBuffer());
    """
    data = run(script, samples.tobytes(), exif(1).tobytes().removeprefix(b"Exif\0\0"), profile())
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (width, height) and image.info["icc_profile"] == profile()
        assert image.getexif()[0x010F] == "Camera maker"
        ours = np.asarray(image).astype(float)
    library = io.BytesIO()
    Image.fromarray(samples.squeeze(-1) if bands == 1 else samples).save(
        library, "jpeg", quality=92, subsampling=0
    )
    theirs = np.asarray(Image.open(library)).astype(float)
    expected = samples.squeeze(-1) if bands == 1 else samples
    assert np.abs(ours - expected).mean() <= 1.02 * np.abs(theirs - expected).mean() + 0.02
    assert np.abs(ours - expected).max() <= 1.3 * np.abs(theirs - expected).max() + 2


def test_jpeg_of_extremes():
    """Black and white pixels at random: the longest codes and the largest values."""
    samples = np.where(noise(64, 64, 3) > 127, 255, 0).astype(np.uint8)
    script = """
        const { JpegStream } = await load("jpeg");
        const jpeg = new JpegStream(64, 64, 3, { exif: null, icc: null });
        await jpeg.write(input[0]);
        print(await (await jpeg.close()).arrayBuffer());
    """
    image = np.asarray(Image.open(io.BytesIO(run(script, samples.tobytes())))).astype(int)
    assert np.abs(image - samples).mean() < 6


def transparent_pngs(folder):
    """Every kind of PNG with opacity that libvips, Pillow and PNG itself know."""
    save_pillow(folder / "rgba.png", noise(19, 23, 4))
    save_pillow(folder / "grey.png", noise(19, 23, 2))
    save_vips(folder / "interlaced.png", noise(19, 23, 4), "srgb", interlace=True)
    save_vips(folder / "interlaced_small.png", noise(3, 2, 4), "srgb", interlace=True)
    for kind, number in (("none", 8), ("sub", 16), ("up", 32), ("avg", 64), ("paeth", 128), ("all", 248)):
        save_vips(folder / f"filter_{kind}.png", noise(19, 23, 4), "srgb", filter=number)
    palette = Image.fromarray(noise(19, 23, 3)).quantize(13)
    palette.save(folder / "palette.png", transparency=bytes([0, 90, 200]), bits=4)
    Image.fromarray(noise(19, 23, 1)[..., 0] // 128 * 255).convert("1").save(
        folder / "bit.png", transparency=0
    )
    Image.fromarray(noise(19, 23, 3) // 200 * 200).save(folder / "key.png", transparency=(0, 200, 0))
    return sorted(folder.glob("*.png"))


def test_transparent_pngs_are_read_exactly(tmp_path):
    script = """
        const { readPixels } = await load("png_reader");
        const { readHeader } = await load("photo_header");
        const header = await readHeader(input[0]);
        const { rgba } = await readPixels(input[0]);
        print([header.colours, Number(header.alpha), ...rgba]);
    """
    for path in transparent_pngs(tmp_path):
        image = pyvips.Image.new_from_file(str(path))
        grey = image.bands == 2
        expected = np.asarray(image.numpy())
        expected = expected[..., [0, 0, 0, 1]] if grey else expected
        colours, alpha, *rgba = run(script, path.read_bytes())
        assert (colours, alpha) == (1 if grey else 3, 1), path.name
        assert np.array_equal(np.reshape(rgba, expected.shape), expected), path.name


def test_transparent_png_of_16_bits_keeps_8(tmp_path):
    samples = noise(9, 7, 4, np.uint16)
    save_vips(tmp_path / "deep.png", samples, "rgb16")
    script = """
        const { readPixels } = await load("png_reader");
        print((await readPixels(input[0])).rgba);
    """
    rgba = np.frombuffer(run(script, (tmp_path / "deep.png").read_bytes()), np.uint8).reshape(samples.shape)
    assert np.array_equal(rgba, np.rint(samples / 257))
