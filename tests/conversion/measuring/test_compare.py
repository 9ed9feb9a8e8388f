"""The page of `mobile-sr compare` as its reader meets it: in a real browser, from disk, without a network."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from support.command_line import run_here
from support.page_browser import Page, open_browser
from support.photos import exif, profile, turned

from conversion.engines.whole_image import open_engine
from conversion.measuring.compare import build, versions
from conversion.measuring.compare.build import at_hand, write_comparison
from conversion.measuring.report.pictures import most_different
from conversion.upscaling.pipeline import upscale_array
from keras_models.catalogue import CATALOGUE
from keras_models.data.bicubic import enlarge
from keras_models.metrics import luma, to_uint8
from keras_models.system.errors import MobileSRError

EVIL = "<img src=x onerror=document.title='owned'>"
HEIGHT, WIDTH = 150, 400
"""Of the photo; twice that does not fit a phone."""


def blocks(height=HEIGHT, width=WIDTH, seed=0):
    """(height, width, 3) uint8: random squares, strong in the middle and faint elsewhere."""
    rng = np.random.default_rng(seed)
    squares = rng.integers(0, 256, (-(-height // 4), -(-width // 4), 3)).repeat(4, 0).repeat(4, 1)[:height, :width]
    strength = np.linspace(0.1, 1, width)[None, :, None]
    return np.clip(128 + strength * (squares - 128.0), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A photo with a hostile name, a colour profile, and turned by its EXIF."""
    path = tmp_path_factory.mktemp("compare") / f"{EVIL}.png"
    Image.fromarray(turned(blocks(), 6)).save(path, exif=exif(6), icc_profile=profile())
    return path


@pytest.fixture(scope="module")
def page(photo, tiny_model):
    """The page of two models."""
    target = photo.parent / "page.html"
    written = write_comparison(photo, [str(tiny_model(name)) for name in ("nearest", "random")], target)
    assert list(written.seconds) == ["Bicubic", "nearest.tflite", "random.tflite"] and written.notes == ()
    assert written.size == target.stat().st_size
    return target


@pytest.fixture(scope="module")
def results(tiny_model):
    """What the versions must be, by their numbers."""
    low = blocks()
    made = [to_uint8(upscale_array(low / np.float32(255), open_engine(tiny_model(name)))) for name in ("nearest", "random")]
    return [enlarge(low, 2), *made]


@pytest.fixture(scope="module")
def browser():
    chrome = open_browser()
    yield chrome
    chrome.quit()


@pytest.fixture
def opened(browser, page):
    found = Page(browser).open(page)
    complete = "return [...document.images].every(image => image.complete && image.naturalWidth > 0)"
    found.wait(lambda: browser.execute_script(complete), "its pictures")
    return found


def choose(page, left, right):
    from selenium.webdriver.support.select import Select

    for side, label in (("left", left), ("right", right)):
        Select(page.find(f"#{side}")).select_by_visible_text(label)


def decoded(address):
    """A data address's picture: (H, W, 3) uint8, and its colour profile."""
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB")), image.info.get("icc_profile")


def shown_places(browser):
    """Of the places that are visible: (x, y, side, {version: address})."""
    script = """
        return [...document.querySelectorAll('.pair:not([hidden]) .place')].map(place => {
          const numbers = place.querySelector('figcaption').firstChild.textContent.match(/\\d+/g).map(Number);
          const pictures = [...place.querySelectorAll('img')].map(image => [image.dataset.version, image.src]);
          return [numbers[2], numbers[3], numbers[0], Object.fromEntries(pictures)]; })
    """
    return browser.execute_script(script)


def test_the_page_is_quiet_and_asks_for_nothing(opened):
    assert opened.complaints() == [] and opened.requests() == []
    assert opened.browser.title == f"{EVIL}.png · mobile-sr compare" and opened.find("h1").text == f"{EVIL}.png"


def test_the_whole_photo_has_its_full_size(opened, results):
    images = opened.browser.find_elements("css selector", "#stage img")
    assert [image.get_attribute("alt").rpartition(", ")[2] for image in images] == ["Bicubic", "nearest.tflite", "random.tflite"]
    for image, result in zip(images, results):
        pixels, colours = decoded(image.get_attribute("src"))
        assert pixels.shape == result.shape == (2 * HEIGHT, 2 * WIDTH, 3) and colours == profile()
        assert np.abs(luma(pixels) - luma(result)).mean() < 4  # WebP of quality 90, of noise
    assert np.abs(luma(results[1]) - luma(results[2])).mean() > 8  # control


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_places_are_of_the_chosen_two_and_lossless(opened, results, pair):
    labels = ["Bicubic", "nearest.tflite", "random.tflite"]
    choose(opened, labels[pair[0]], labels[pair[1]])
    places = shown_places(opened.browser)
    assert len(places) == 3
    squares = opened.browser.execute_script(
        "return [...document.querySelectorAll('#stage rect')].filter(r => getComputedStyle(r).display !== 'none')"
        ".map(r => [r.x.baseVal.value, r.y.baseVal.value])"
    )
    assert squares == [[x, y] for x, y, *_ in places]
    for x, y, side, pictures in places:
        assert sorted(map(int, pictures)) == list(pair)
        for number, address in pictures.items():
            pixels, colours = decoded(address)
            assert np.array_equal(pixels, results[int(number)][y : y + side, x : x + side]) and colours == profile()


def test_places_are_where_they_differ_most(results):
    first, second = results[1:]
    boxes = most_different(first, second, 2, 3)
    error = np.square(luma(first) - luma(second), dtype=np.float64)
    sums = [box.of(error).sum() for box in boxes]
    assert sums == sorted(sums, reverse=True)
    side = boxes[0].width
    corners = [(y, x) for y in range(0, error.shape[0] - side + 1, 2) for x in range(0, error.shape[1] - side + 1, 2)]
    assert max(error[y : y + side, x : x + side].sum() for y, x in corners) == pytest.approx(sums[0])
    assert all(abs(a.x - b.x) >= side or abs(a.y - b.y) >= side for a in boxes for b in boxes if a is not b)
    assert len(most_different(first, first, 2, 3)) == 1


def test_the_line_follows_the_pointer(opened):
    from selenium.webdriver.common.action_chains import ActionChains

    box = opened.find("#stage .compare")
    clip = "return getComputedStyle(document.querySelector('#stage img.left')).clipPath"
    assert opened.browser.execute_script(clip) == "inset(0px 50% 0px 0px)"
    ActionChains(opened.browser).move_to_element_with_offset(box, box.size["width"] // 4, 0).click().perform()
    assert re.fullmatch(r"inset\(0px (2[45]|2[45]\.\d+)% 0px 0px\)", opened.browser.execute_script(clip))


def test_a_place_is_shown_at_full_size(browser, page):
    size = {"width": 420, "height": 700, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        found = Page(browser).open(page)
        assert browser.execute_script("return document.documentElement.scrollWidth") == 420
        fitted = found.find("#stage .compare").size["width"]
        assert fitted < 420
        choose(found, "Bicubic", "random.tflite")
        x, y, side, _ = shown_places(browser)[0]
        browser.execute_script("document.querySelector('.pair:not([hidden]) .show').click()")
        assert found.find("#stage .compare").size["width"] == 2 * WIDTH
        seen = browser.execute_script("const s = document.getElementById('stage'); return [s.scrollLeft, s.clientWidth]")
        assert seen[0] <= x and x + side <= sum(seen)
        assert float(found.find("#stage input").get_property("value")) == pytest.approx(100 * (x + side / 2) / (2 * WIDTH))
        assert browser.execute_script("return document.documentElement.scrollWidth") == 420
        browser.execute_script("document.getElementById('fit').click()")
        assert found.find("#stage .compare").size["width"] == fitted
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_table_has_times_and_sizes(opened, tiny_model):
    script = "return [...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))"
    rows = opened.browser.execute_script(script)
    assert [row[0] for row in rows] == ["Bicubic", "nearest.tflite", "random.tflite"] and rows[0][2:] == ["–", "–"]
    for row, name in zip(rows[1:], ("nearest", "random")):
        assert row[2] == f"{tiny_model(name).stat().st_size / 1000:,.0f}" and row[3] == "not stated"
    assert all(float(row[1]) >= 0 for row in rows)


def test_a_photo_that_is_too_large_is_cut_and_the_page_says_so(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "LARGEST", 2_000)
    low = blocks(40, 60)
    Image.fromarray(low).save(tmp_path / "a.png")
    written = write_comparison(tmp_path / "a.png", [str(tiny_model("nearest"))], tmp_path / "page.html")
    assert "shows the" in written.notes[0] and "A page holds 2 results of 0.002 megapixels each" in written.notes[0]
    given = list(map(int, re.findall(r"\d+", written.notes[0])[:6]))
    assert given[:2] == [60, 40]
    wide, tall, x, y = given[2:]
    assert 400 < wide * tall <= 500 and wide / tall == pytest.approx(1.5, abs=0.1) and (x, y) == ((60 - wide) // 2, (40 - tall) // 2)
    text = (tmp_path / "page.html").read_text()
    assert written.notes[0] in text
    whole, _ = decoded(re.search(r'<img src="([^"]*)"[^>]*data-version="1"', text)[1])
    assert whole.shape == (2 * tall, 2 * wide, 3)
    nearest = low[y : y + tall, x : x + wide].repeat(2, 0).repeat(2, 1)
    assert np.abs(luma(whole) - luma(nearest)).mean() < 4


def test_the_longest_side_and_many_versions_have_limits():
    ribbon = versions.fitted(versions.Photo(np.zeros((1, 9000, 3), np.uint8), b"", (9000, 1), None), 4, 2)
    assert ribbon.pixels.shape == (1, versions.LONGEST // 4, 3)
    square = versions.Photo(np.zeros((1000, 1000, 3), np.uint8), b"", (1000, 1000), None)
    assert versions.fitted(square, 4, 5) is square
    assert versions.fitted(square, 4, 10).pixels.shape[0] == 707  # half as many pixels



BAD = {
    "no such photo": lambda folder, photo, tiny: (folder / "none.png", ["lkdn-s"], folder / "p.html"),
    "must end in .html": lambda folder, photo, tiny: (photo, ["lkdn-s"], folder / "p.pdf"),
    "no such preset or file": lambda folder, photo, tiny: (photo, ["nosuch"], folder / "p.html"),
    "given twice": lambda folder, photo, tiny: (photo, [str(tiny("nearest"))] * 2, folder / "p.html"),
    "one page compares models of one scale": lambda folder, photo, tiny: (photo, [str(tiny("nearest")), "lkdn-s"], folder / "p.html"),
    "cannot be written": lambda folder, photo, tiny: (photo, [str(tiny("nearest"))], folder / "no/p.html"),
    "not super-resolution": lambda folder, photo, tiny: (photo, [str(tiny("classifier"))], folder / "p.html"),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_one_line(message, tmp_path, photo, tiny_model):
    with pytest.raises(MobileSRError, match=message) as caught:
        write_comparison(*BAD[message](tmp_path, photo, tiny_model))
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_models_at_hand_are_compared_by_default(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MOBILE_SR_WEIGHTS", raising=False)
    assert at_hand() == ["lkdn-s-x4", "lkdn-s-x4-photo"]
    monkeypatch.setattr(build, "is_fetched", lambda weights: weights.name in ("lkdn-x4@authors", "lkdn-x2@authors"))
    assert at_hand() == ["lkdn-s-x4", "lkdn-s-x4-photo", "lkdn-x4@authors"] and "lkdn-x2@authors" in CATALOGUE
    monkeypatch.undo()
    Image.fromarray(blocks(20, 30)).save(tmp_path / "a.png")
    done = run_here(capfd, monkeypatch, "compare", tmp_path / "a.png", "lkdn-s", "-o", tmp_path / "page.html")
    assert (done.returncode, done.stderr) == (0, "") and re.search(r"page\.html: 0\.\d MB; Bicubic .* s, lkdn-s-x4 .* s", done.stdout)
