"""The report as its reader meets it: in a real browser, from disk, without a network."""

import base64
import io
import json
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from support.command_line import one_line_error, run
from support.networks import randomise

from conversion.convert_model import Converted
from conversion.measuring.evaluate import evaluate_model
from conversion.measuring.report.build import write_report
from keras_models.data.bicubic import enlarge, shrink
from keras_models.lkdn import LKDN
from keras_models.metrics import measure
from keras_models.system.errors import ConversionError, MobileSRError
from keras_models.training.plots import draw_curves

EVIL = "<img src=x onerror=document.title='owned'><script>document.title='owned'"
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}


def photo(path, height, width, seed):
    """Random blocks: sharp edges, so that bicubic and a network differ everywhere."""
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    Image.fromarray(blocks.repeat(4, 0).repeat(4, 1)).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny network with a card and curves, and photos with hostile names and credits."""
    folder = tmp_path_factory.mktemp("report")
    randomise(LKDN(scale=2, features=8, attention_channels=6, blocks=1), seed=3).save(folder / "tiny.keras")
    card = {
        "credit": f"made by {EVIL}</script>",
        "licence": "MIT",
        "runs": [{"steps": 7, "form": EVIL}],
        "quality": {"Set5": {"psnr_y": 31.257}},
    }
    (folder / "tiny.json").write_text(json.dumps(card))
    draw_curves({"tiny": [{"step": 1, "loss": 0.5, "val_psnr_y": 20.0}, {"step": 2, "loss": 0.4, "val_psnr_y": 21.0}]}, folder / "tiny.png")
    photos = folder / "photos"
    photos.mkdir()
    for seed, name in enumerate(("first", EVIL, "third")):
        photo(photos / f"{name}.png", 96, 128, seed)
    (folder / "photos.csv").write_text(f'file,author,licence\nfirst.png,"{EVIL}",CC0-1.0\n')
    return folder


@pytest.fixture(scope="module")
def page(folder, tiny_model):
    """A page about a network and a foreign .tflite."""
    models = (str(folder / "tiny.keras"), str(tiny_model("nearest")))
    written = write_report(models, folder / "photos", folder / "page.html", command=f"mobile-sr report {EVIL}", tile=(16, 16))
    assert (written.photos, written.shown, written.files) == (3, 3, 3)
    return folder / "page.html"


@pytest.fixture(scope="module")
def browser():
    """Chromium without a network."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        assert not os.environ.get("MOBILE_SR_REQUIRE_SHARED"), "a browser must be there in CI"
        pytest.skip("needs Chromium and its driver: run scripts/browser_packages.sh")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chrome.execute_cdp_cmd("Network.enable", {})
    everything_off = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    chrome.execute_cdp_cmd("Network.emulateNetworkConditions", everything_off)
    yield chrome
    chrome.quit()


def opened(browser, path):
    """Opens a page, waits for its pictures; its console lines and requests are those of this page alone."""
    from selenium.webdriver.support.wait import WebDriverWait

    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(path.as_uri())
    WebDriverWait(browser, 60).until(lambda b: b.execute_script("return [...document.images].every(image => image.complete)"))
    return browser


def requests_of(browser):
    """Addresses that the page asked for, but for its own and what it holds itself."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert any(address.startswith("file:") for address in addresses)
    return [address for address in addresses if not address.startswith(("file:", "data:"))]


def find(browser, selector):
    from selenium.webdriver.common.by import By

    return browser.find_elements(By.CSS_SELECTOR, selector)


def pixels(element):
    with Image.open(io.BytesIO(element.screenshot_as_png)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def clip_of(browser, box):
    return browser.execute_script("return getComputedStyle(arguments[0].querySelector('img.left')).clipPath", box)


def wait_for_clip(browser, box, clip):
    """A key is handled when the browser gets round to it."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 20).until(lambda _: clip_of(browser, box) == clip)


def drag_to(browser, box, share, kind="mouse"):
    """Presses in the middle of a slider and drags to a share of its width."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", box)
    actions = ActionBuilder(browser, mouse=PointerInput(kind, kind))
    pointer = actions.pointer_action
    pointer.move_to(box).pointer_down()
    for part in (0.25, 0.5, 1):
        pointer.move_to(box, round(box.size["width"] * (share - 0.5) * part), 0)
    pointer.pointer_up()
    actions.perform()


def check_drag(browser, box, kind):
    drag_to(browser, box, 0.1, kind)
    clip, before = clip_of(browser, box), pixels(box)
    drag_to(browser, box, 0.9, kind)
    after = pixels(box)
    assert clip_of(browser, box) != clip and float(find(box, "input")[0].get_property("value")) == pytest.approx(90, abs=1.5)
    assert re.fullmatch(r"inset\(0px (8|9|10|11)[.\d]*% 0px 0px\)", clip_of(browser, box))
    width = before.shape[1]
    between, beyond = slice(int(0.3 * width), int(0.7 * width)), slice(int(0.97 * width), width)
    lower = slice(before.shape[0] * 3 // 4, None)  # below the handle
    assert np.abs(after - before)[lower, between].mean() > 5
    assert np.abs(after - before)[lower, beyond].max() == 0


def test_page_is_quiet_and_asks_for_nothing(browser, page):
    opened(browser, page)
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    assert requests_of(browser) == []
    assert browser.execute_script("return [...document.images].every(image => image.naturalWidth > 0)")


def test_outside_references_would_be_seen(browser, page, tmp_path):
    """Control: the same page with a picture from elsewhere and without its policy."""
    text = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text())
    (tmp_path / "leak.html").write_text(text.replace("<main>", '<main><img src="http://outside.invalid/x.png">'))
    opened(browser, tmp_path / "leak.html")
    assert requests_of(browser) == ["http://outside.invalid/x.png"]


def test_policy_stops_foreign_scripts(browser, page, tmp_path):
    """Control: what the escaping would let through, the policy stops; and a blocked script is seen as an error."""
    (tmp_path / "evil.html").write_text(page.read_text().replace("<main>", "<main><script>document.title='owned'</script>"))
    opened(browser, tmp_path / "evil.html")
    assert browser.title != "owned"
    assert any("Content Security Policy" in entry["message"] for entry in browser.get_log("browser"))


@pytest.mark.parametrize("view", ["whole", "detail"])
def test_slider_follows_the_mouse(browser, page, view):
    opened(browser, page)
    check_drag(browser, find(browser, f".compare.{view}")[0], "mouse")


def test_slider_follows_the_keyboard(browser, page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    opened(browser, page)
    box = find(browser, ".compare")[0]
    find(browser, "#right")[0].send_keys(Keys.TAB)
    assert browser.switch_to.active_element == find(box, "input")[0]
    ActionChains(browser).send_keys(Keys.HOME).perform()
    wait_for_clip(browser, box, "inset(0px 100% 0px 0px)")
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT * 5).perform()
    wait_for_clip(browser, box, "inset(0px 95% 0px 0px)")
    assert find(box, "input")[0].get_attribute("aria-valuetext") == "5 percent"


def test_two_of_all_versions_are_compared(browser, page):
    from selenium.webdriver.support.select import Select

    opened(browser, page)
    left, right = (Select(find(browser, f"#{side}")[0]) for side in ("left", "right"))
    box = find(browser, ".compare")[0]

    def shown():
        sides = [find(box, f"img.{side}") for side in ("left", "right")]
        assert [len(images) for images in sides] == [1, 1]
        tags = [find(box, f".at-{side}")[0].text for side in ("left", "right")]
        return [images[0].get_attribute("alt").split(", ")[-1] for images in sides], tags

    assert [option.text for option in left.options] == ["Bicubic", "tiny.keras", "nearest.tflite", "Original"]
    assert shown() == (["Bicubic", "tiny.keras"],) * 2
    right.select_by_visible_text("Original")
    assert shown() == (["Bicubic", "Original"],) * 2
    left.select_by_visible_text("Original")  # never the same on both sides
    assert shown() == (["Original", "Bicubic"],) * 2
    find(browser, "#swap")[0].click()
    assert shown() == (["Bicubic", "Original"],) * 2


def test_pictures_are_what_they_say(browser, page, folder):
    """Lossless details of each version, taken out of the page, are crops of the real pictures."""
    opened(browser, page)
    original = np.asarray(Image.open(folder / "photos/first.png"))
    names = [box.get_attribute("data-photo") for box in find(browser, ".compare.detail")]
    box = find(browser, ".compare.detail")[names.index("first")]
    rect = find(browser, ".compare.whole")[names.index("first")].find_element("tag name", "rect")
    x, y, width, height = (int(rect.get_attribute(key)) for key in ("x", "y", "width", "height"))
    for version, picture in ((0, enlarge(shrink(original, 2), 2)), (2, shrink(original, 2).repeat(2, 0).repeat(2, 1)), (3, original)):
        address = find(box, f'img[data-version="{version}"]')[0].get_attribute("src")
        with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as image:
            assert np.array_equal(np.asarray(image.convert("RGB")), picture[y : y + height, x : x + width]), version


def test_phone_size(browser, page):
    from selenium.webdriver.support.wait import WebDriverWait

    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        opened(browser, page)
        WebDriverWait(browser, 30).until(lambda b: b.execute_script("return innerWidth") == 390)
        widest = "return [document.documentElement.scrollWidth, document.body.scrollWidth]"
        assert browser.execute_script(widest) == [390, 390]
        assert browser.execute_script("return Math.min(...[...document.querySelectorAll('.compare')].map(e => e.clientWidth))") > 100
        check_drag(browser, find(browser, ".compare.detail")[0], "touch")
        browser.execute_script("document.querySelector('main').append(Object.assign(document.createElement('pre'), {id: 'w'}))")
        browser.execute_script("const w = document.getElementById('w'); w.style.width = '700px'")
        assert browser.execute_script(widest)[0] > 390  # control: something too wide is seen
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_dark_page_is_dark(browser, page):
    def ground(scheme):
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        opened(browser, page)
        return [int(v) for v in re.findall(r"\d+", browser.execute_script("return getComputedStyle(document.body).backgroundColor"))]

    dark, light = ground("dark"), ground("light")
    assert max(dark) < 60 and min(light) > 200


def rows_of(browser, table):
    return [[cell.text for cell in find(row, "th,td")] for row in find(browser, f"{table} tr")]


def test_tables_hold_what_was_measured(browser, page, folder, tiny_model):
    opened(browser, page)
    ours, foreign = (evaluate_model(model, folder / "photos") for model in (folder / "tiny.keras", tiny_model("nearest")))
    rows = {row[0]: row[1:] for row in rows_of(browser, "#scores")[2:]}
    assert rows.keys() == {*ours.images, "mean"} and EVIL in rows
    baseline = []
    for name in ours.images:
        high = np.asarray(Image.open(folder / "photos" / f"{name}.png"))
        bicubic = measure(enlarge(shrink(high, 2), 2), high, 2)
        baseline.append(bicubic.psnr_y)
        a, b = ours.images[name], foreign.images[name]
        gains = [q.psnr_y - bicubic.psnr_y for q in (a, b)]
        expected = [f"{bicubic.psnr_y:.3f}", f"{a.psnr_y:.3f}", f"{b.psnr_y:.3f}", *(f"{gain:+.3f}".replace("-", "−") for gain in gains)]
        assert rows[name] == [*expected, f"{bicubic.ssim_y:.4f}", f"{a.ssim_y:.4f}", f"{b.ssim_y:.4f}"]
    assert rows["mean"][:3] == [f"{np.mean(baseline):.3f}", f"{ours.mean.psnr_y:.3f}", f"{foreign.mean.psnr_y:.3f}"]
    recipes = rows_of(browser, "#recipes table")
    assert [row[0] for row in recipes] == ["Recipe", "float32", "float16", "Recipe", "as given"]
    assert int(recipes[4][1].replace(",", "")) == tiny_model("nearest").stat().st_size
    assert recipes[4][7] == f"{foreign.mean.psnr_y:.3f}"
    verdicts = rows_of(browser, "#phone table")
    assert ["DEPTH_TO_SPACE", "1", "1"] in verdicts and ["XNNPACK partitions", "1"] in verdicts
    assert any("31.26" in row for row in rows_of(browser, "#published") if row[0] == "tiny.keras")
    assert "give a folder of some dozens for calibration" in find(browser, "#recipes")[0].text


def test_names_and_cards_are_only_text(browser, page):
    opened(browser, page)
    assert browser.title == "tiny.keras, nearest.tflite · mobile-sr report"
    assert len(find(browser, "script")) == 1 and not find(browser, "img[src=x]")
    assert EVIL in [heading.text for heading in find(browser, ".photo h3")]
    assert f"made by {EVIL}</script>" in find(browser, ".about")[0].text
    assert f"{EVIL} · CC0-1.0" in [credit.text for credit in find(browser, ".credit")]
    assert find(browser, "#made code")[0].text == f"mobile-sr report {EVIL}"
    assert len(find(browser, "#training img")) == 1


def test_page_refers_to_nothing_outside(page):
    text = page.read_text()
    references = re.findall(r"""(?:src|href|srcset|action|poster)=["']([^"']*)""", text)
    assert references and all(reference.startswith(("data:", "#")) for reference in references)
    assert "url(" not in text and "@import" not in text and "fetch(" not in text


def test_command(folder, tiny_model, tmp_path):
    command = ["report", tiny_model("random"), "--data", folder / "photos"]
    good = run(*command, "-o", tmp_path / "page.html")
    assert (good.returncode, good.stderr) == (0, ""), good.stderr
    assert "3 photos (3 shown), 1 files" in good.stdout and (tmp_path / "page.html").stat().st_size < 1e6
    assert "page.pdf: the page must end in .html" in one_line_error(run(*command, "-o", tmp_path / "page.pdf"))
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def wrong_scale(folder):
    LKDN(scale=3, features=8, attention_channels=6, blocks=1).save(folder / "x3.keras")
    return folder / "x3.keras"


BAD = {
    "no such folder": lambda folder, out: (["lkdn-s"], folder / "none", out / "p.html", None),
    "no images in it": lambda folder, out: (["lkdn-s"], out, out / "p.html", None),
    "no photos in it": lambda folder, out: ([folder / "tiny.keras"], folder / "photos", out / "p.html", out),
    "no such preset or file": lambda folder, out: (["nosuch"], folder / "photos", out / "p.html", None),
    "given twice": lambda folder, out: ([folder / "tiny.keras"] * 2, folder / "photos", out / "p.html", None),
    "no such file": lambda folder, out: (["net.onnx"], folder / "photos", out / "p.html", None),
    "cannot be written": lambda folder, out: ([folder / "tiny.keras"], folder / "photos", out / "no/p.html", None),
    "models of one scale": lambda folder, out: ([folder / "tiny.keras", wrong_scale(folder)], folder / "photos", out / "p.html", None),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_refused_before_work(message, folder, tmp_path):
    models, data, target, calibration = BAD[message](folder, tmp_path)
    with pytest.raises(MobileSRError, match=message) as caught:
        write_report([str(model) for model in models], data, target, calibration)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_that_fails_is_named(folder, tmp_path, monkeypatch):
    real = Converted.save

    def save(converted, target, **options):
        if converted.card.recipe == "float16":
            raise ConversionError(f"{target}: overflows: train it longer")
        return real(converted, target, **options)

    monkeypatch.setattr(Converted, "save", save)
    written = write_report([str(folder / "tiny.keras")], folder / "photos", tmp_path / "page.html", tile=(16, 16))
    assert written.files == 1
    assert "tiny.keras: float16 is not possible: the file: overflows: train it longer" in written.notes
    assert "float16 is not possible: the file: overflows" in (tmp_path / "page.html").read_text()


@pytest.mark.slow
def test_calibration_gives_every_recipe(folder, tmp_path):
    large = tmp_path / "photos"
    large.mkdir()
    for seed in range(3):
        photo(large / f"{seed}.png", 160, 160, seed)
    written = write_report([str(folder / "tiny.keras")], folder / "photos", tmp_path / "page.html", large, tile=(16, 16))
    text = (tmp_path / "page.html").read_text()
    assert written.files + len(written.notes) == 5 and written.files >= 4, written.notes
    assert re.findall(r'<tr><th scope="row">(weight_only_int8|int8|int16x8)</th>', text) == ["weight_only_int8", "int8", "int16x8"]
