"""The page as its people meet it: in a real browser, from disk, offline; its results against `mobile-sr upscale`."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.page_browser import SOFTWARE_GPU, Page, open_browser, python_result, runtime_or_skip
from support.photos import exif, noise, png_chunks, profile, save_cmyk, save_pillow, save_vips, smooth, turned
from support.tiny_models import SCALE

from conversion.tflite.file import with_metadata
from conversion.webpage import build
from conversion.webpage.models import page_model

HALO = 8
WINDOW = 32  # the halo takes half of it


@pytest.fixture(scope="module")
def runtime():
    return runtime_or_skip()


@pytest.fixture(scope="module")
def network(tiny_model, tmp_path_factory):
    """Random 5x5 convolutions with a halo beyond what they see: wrong tiles show."""
    path = tmp_path_factory.mktemp("network") / "random.tflite"
    path.write_bytes(
        with_metadata(tiny_model("random").read_bytes(), {"halo": HALO, "stride": 1, "name": "random", "licence": "MIT"})
    )
    return path


@pytest.fixture(scope="module")
def small(network, tmp_path_factory):
    """The same at the window of the tests' page."""
    path = tmp_path_factory.mktemp("small") / "small.tflite"
    path.write_bytes(page_model(str(network), WINDOW).data)
    return path


@pytest.fixture(scope="module")
def written(network, runtime, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "upscale.html"
    path.write_text(build.render([page_model(str(network), WINDOW)], runtime))
    return path


@pytest.fixture(scope="module")
def browser():
    chrome = open_browser()
    yield chrome
    chrome.quit()


@pytest.fixture
def page(browser, written):
    return Page(browser).open(written)


def differences(one, other):
    with Image.open(one) as a, Image.open(other) as b:
        assert (a.mode, a.size) == (b.mode, b.size)
        return np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int))


def photo_of(folder, name):
    """Photos of every kind; small, so that each is several windows of the tests' page but quick."""
    path = folder / name
    upright = smooth(70, 90)
    made = {
        "rgb.png": lambda: save_pillow(path, noise(70, 90)),
        "grey.png": lambda: save_pillow(path, noise(70, 90, 1)),
        "grey.jpg": lambda: save_pillow(path, smooth(70, 90, 1), quality=95),
        "photo.jpg": lambda: save_pillow(path, upright, quality=90, subsampling=2),
        "photo.webp": lambda: save_pillow(path, upright, quality=90),
        "lossless.webp": lambda: save_pillow(path, noise(70, 90), lossless=True),
        "exif6.jpg": lambda: save_pillow(path, turned(upright, 6), quality=95, exif=exif(6)),
        "exif5.png": lambda: save_pillow(path, turned(noise(70, 90), 5), exif=exif(5)),
        "alpha7.png": lambda: save_pillow(path, turned(noise(70, 90, 4), 7), exif=exif(7)),
        "alpha.png": lambda: save_pillow(path, noise(70, 90, 4)),
        "half_clear.png": lambda: save_pillow(path, half_clear()),
        "grey_alpha.png": lambda: save_pillow(path, noise(70, 90, 2)),
        "palette.png": lambda: Image.fromarray(noise(70, 90)).quantize(30).save(path),
        "interlaced.png": lambda: save_vips(path, noise(70, 90, 4), "srgb", interlace=True),
        "one.png": lambda: save_pillow(path, noise(1, 1)),
        "low.png": lambda: save_pillow(path, noise(3, 2000)),
        "narrow.png": lambda: save_pillow(path, noise(200, 1, 4)),
        "smaller.jpg": lambda: save_pillow(path, smooth(20, 31), quality=95),
        "window.png": lambda: save_pillow(path, noise(WINDOW, WINDOW)),
        "one_more.png": lambda: save_pillow(path, noise(WINDOW + 1, WINDOW - 1)),
    }
    made[name]()
    return path


def half_clear():
    """Opaque, soft and clear parts: all three ways through the network."""
    samples = noise(70, 90, 4)
    samples[..., 3] = np.clip((np.arange(90) - 45) * 20 + 128, 0, 255)
    return samples


PHOTOS = [
    "rgb.png",
    "grey.png",
    "grey.jpg",
    "photo.jpg",
    "photo.webp",
    "lossless.webp",
    "exif6.jpg",
    "exif5.png",
    "alpha7.png",
    "alpha.png",
    "half_clear.png",
    "grey_alpha.png",
    "palette.png",
    "interlaced.png",
    "one.png",
    "low.png",
    "narrow.png",
    "smaller.jpg",
    "window.png",
    "one_more.png",
]


@pytest.mark.parametrize("name", PHOTOS)
def test_result_is_that_of_upscale(page, small, tmp_path, name):
    photo = photo_of(tmp_path, name)
    ours = page.upscaled(photo, tmp_path / "page.png")
    assert differences(ours, python_result(photo, tmp_path / "python.png", small, HALO)).max() <= 1
    assert page.saved_as == (f"{photo.stem}_x{SCALE}.png", "image/png")
    assert page.requests() == []


def test_another_halo_would_be_seen(page, small, tmp_path):
    """Control: with fewer pixels around each tile, the comparison above fails."""
    photo = photo_of(tmp_path, "rgb.png")
    ours = page.upscaled(photo, tmp_path / "page.png")
    assert differences(ours, python_result(photo, tmp_path / "python.png", small, 1)).max() > 1


@pytest.mark.slow
def test_very_wide(page, small, tmp_path):
    photo = save_pillow(tmp_path / "wide.png", noise(3, 20000))
    ours = page.upscaled(photo, tmp_path / "page.png")
    assert differences(ours, python_result(photo, tmp_path / "python.png", small, HALO)).max() <= 1


def test_outside_requests_would_be_seen(browser, written, tmp_path):
    """Control: the same page without its policy, and with a picture from elsewhere."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", written.read_text())
    (tmp_path / "leak.html").write_text(
        text.replace("<main>", '<main><img src="http://outside.invalid/x.png">')
    )
    assert Page(browser).open(tmp_path / "leak.html").requests() == ["http://outside.invalid/x.png"]


def test_policy_stops_what_the_page_does_not_do(page):
    """Control: neither a script from elsewhere in the page nor a request leaves it."""
    tried = page.browser.execute_async_script("""
        const done = arguments[0];
        document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.owned = true'}));
        fetch('http://outside.invalid/').then(() => done('sent'), () => done(window.owned ? 'ran' : 'stopped'))
    """)
    assert tried == "stopped"
    assert page.requests() == []
    assert any("Content Security Policy" in message for message in page.complaints())


def test_metadata_is_kept(page, tmp_path):
    photo = save_pillow(
        tmp_path / "camera.jpg", turned(smooth(40, 60), 6), quality=95, exif=exif(6), icc_profile=profile()
    )
    chunks = dict(png_chunks(page.upscaled(photo, tmp_path / "page.png").read_bytes()))
    assert list(chunks)[:3] == [b"IHDR", b"iCCP", b"eXIf"]
    with Image.open(tmp_path / "page.png") as image:
        kept = image.getexif()
        assert (image.size, kept[0x0112], kept[0x010F]) == ((120, 80), 1, "Camera maker")
        assert image.info["icc_profile"] == profile()


def test_numbers_of_a_wide_gamut_photo_are_untouched(page, small, tmp_path):
    """A profile whose red is another one: converting colours would change samples by tens of levels."""
    from PIL import ImageCms

    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = swapped.find(b"rXYZ"), swapped.find(b"gXYZ")
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    photo = save_pillow(tmp_path / "wide.png", noise(40, 50), icc_profile=bytes(swapped))
    ours = page.upscaled(photo, tmp_path / "page.png")
    assert differences(ours, python_result(photo, tmp_path / "python.png", small, HALO)).max() <= 1
    with Image.open(ours) as image:
        assert image.info["icc_profile"] == bytes(swapped)
    converting = """
        const [data, done] = arguments;
        const blob = new Blob([Uint8Array.from(atob(data), c => c.charCodeAt(0))], {type: 'image/png'});
        createImageBitmap(blob).then(bitmap => { const c = new OffscreenCanvas(50, 40), g = c.getContext('2d');
          g.drawImage(bitmap, 0, 0); done([...g.getImageData(0, 0, 50, 40).data]); })
    """
    import base64

    converted = page.browser.execute_async_script(converting, base64.b64encode(photo.read_bytes()).decode())
    changed = np.abs(np.reshape(converted, (40, 50, 4))[..., :3] - noise(40, 50).astype(int)).max()
    assert changed > 20  # control: this browser does convert colours where it is let


def test_jpeg(page, small, tmp_path):
    photo = save_pillow(tmp_path / "a.jpg", smooth(50, 70), quality=95, exif=exif(1), icc_profile=profile())
    page.pick("format", "jpeg")
    ours = page.upscaled(photo, tmp_path / "page.jpg")
    assert page.saved_as == (f"a_x{SCALE}.jpg", "image/jpeg")
    expected = python_result(photo, tmp_path / "python.jpg", small, HALO)
    assert differences(ours, expected).mean() < 1
    with Image.open(ours) as image:
        assert (
            image.format == "JPEG"
            and image.info["icc_profile"] == profile()
            and image.getexif()[0x010F] == "Camera maker"
        )


def broken(folder, name):
    path = folder / name
    if name == "text.png":
        path.write_text("this is no picture")
    elif name == "cut.jpg":
        save_pillow(path, noise(60, 60), quality=90)
        path.write_bytes(path.read_bytes()[:-500])
    elif name == "cut.png":
        save_pillow(path, noise(60, 60))
        path.write_bytes(path.read_bytes()[:-500])
    elif name == "damaged.png":
        data = bytearray(save_pillow(path, noise(60, 60, 4)).read_bytes())
        data[200:240] = bytes(40)
        path.write_bytes(data)
    elif name == "cmyk.jpg":
        save_cmyk(path, smooth(30, 30))
    elif name == "several.webp":
        frames = [Image.fromarray(noise(9, 9, 3, seed=seed)) for seed in range(3)]
        frames[0].save(path, save_all=True, append_images=frames[1:])
    elif name == "huge.png":
        data = bytearray(save_pillow(path, noise(2, 2)).read_bytes())
        data[16:24] = (30000).to_bytes(4, "big") * 2
        path.write_bytes(data)
    elif name == "clear.webp":
        save_pillow(path, noise(9, 9, 4), lossless=True)
    return path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("text.png", "not a PNG, JPEG or WebP photo"),
        ("cut.jpg", "cut off"),
        ("cut.png", "cut off"),
        ("damaged.png", "damaged"),
        ("cmyk.jpg", "CMYK"),
        ("several.webp", "several frames"),
        ("huge.png", "30000 × 30000 pixels"),
        ("clear.webp", "transparent WebP"),
    ],
)
def test_bad_photo_is_told_and_the_next_one_works(page, small, tmp_path, name, says):
    good = photo_of(tmp_path, "rgb.png")
    page.choose(broken(tmp_path, name), good)
    lines = page.finished(2)
    assert says in lines[0] and "seconds on" in lines[1], lines
    assert says in page.find("#queue .failed").text
    assert (
        differences(
            page.saved(1, tmp_path / "p.png"), python_result(good, tmp_path / "q.png", small, HALO)
        ).max()
        <= 1
    )


def test_transparency_does_not_go_into_jpeg(page, tmp_path):
    page.pick("format", "jpeg")
    page.choose(photo_of(tmp_path, "alpha.png"))
    assert page.finished() == ["the photo has transparency, which JPEG cannot hold: choose PNG"]


def test_queue_and_stop(page, small, tmp_path):
    """Three photos; the first is stopped in its middle, the second while it waits: two more are whole."""
    long = save_pillow(tmp_path / "long.png", noise(900, 1600))
    waiting = save_pillow(tmp_path / "waiting.png", noise(40, 40))
    good = photo_of(tmp_path, "rgb.png")
    page.choose(long, waiting, good)
    stops = page.browser.find_elements("css selector", "#queue button[aria-label^='Stop']")
    stops[1].click()
    page.wait(lambda: re.search(r"tile [1-9]\d* of \d{4}", page.lines()[0]), "the first tiles")
    assert page.find("#compare").is_displayed()
    stops[0].click()
    lines = page.finished(3)
    assert lines[:2] == ["stopped", "stopped"] and "seconds on" in lines[2]
    expected = python_result(good, tmp_path / "q.png", small, HALO)
    assert differences(page.saved(2, tmp_path / "p.png"), expected).max() <= 1
    page.choose(good)
    assert "seconds on" in page.finished(4)[3]
    assert differences(page.saved(3, tmp_path / "p.png"), expected).max() <= 1


def test_queue_of_three(page, small, tmp_path):
    photos = [photo_of(tmp_path, name) for name in ("rgb.png", "alpha.png", "grey.jpg")]
    page.choose(*photos)
    assert all("seconds on" in line for line in page.finished(3))
    for index, photo in enumerate(photos):
        ours = page.saved(index, tmp_path / "p.png")
        assert differences(ours, python_result(photo, tmp_path / "q.png", small, HALO)).max() <= 1, photo


def test_drop_and_paste(page, tmp_path):
    """Files come in as events too; a browser lets tests make such events, not drag files over it."""
    give = """
        const [kind, data] = arguments;
        const file = new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], kind + '.png', {type: 'image/png'});
        const transfer = new DataTransfer(); transfer.items.add(file);
        const event = kind === 'drop' ? new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true})
                                      : new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true});
        document.body.dispatchEvent(event);
        return event.defaultPrevented;
    """
    import base64

    data = base64.b64encode(photo_of(tmp_path, "rgb.png").read_bytes()).decode()
    assert page.browser.execute_script(
        give, "drop", data
    )  # else the browser would leave the page for the photo
    page.browser.execute_script(give, "paste", data)
    assert all("seconds on" in line for line in page.finished(2))
    assert [name.text for name in page.browser.find_elements("css selector", "#queue .name")] == [
        "drop.png",
        "paste.png",
    ]


def test_keyboard_alone(page, tmp_path):
    """From the top to a saved photo with Tab, Enter, Space and arrows; what has the focus has a name."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    browser = page.browser

    def press(*keys):
        ActionChains(browser).send_keys(*keys).perform()

    def focused():
        return browser.execute_script(
            "return document.activeElement.id || document.activeElement.getAttribute('aria-label')"
        )

    press(Keys.TAB)
    assert focused() == "files"
    assert (
        browser.execute_script("return getComputedStyle(document.getElementById('drop')).outlineStyle")
        == "solid"
    )
    browser.switch_to.active_element.send_keys(
        str(photo_of(tmp_path, "rgb.png"))
    )  # the system's dialog is not the page's
    page.finished()
    assert "seconds on" in page.lines()[0]
    reached = []
    for _ in range(12):
        press(Keys.TAB)
        reached.append(focused())
        if reached[-1] == "full":
            break
    assert reached == [
        "format",
        "engine",
        "Save rgb_x2.png",
        "Compare before and after of rgb.png",
        "Remove rgb.png from the list",
        "picture",
        "slider",
        "fit",
        "full",
    ]
    press(Keys.SPACE)
    page.wait(lambda: page.find("#full").get_attribute("aria-pressed") == "true", "100 %")
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.TAB, Keys.TAB).key_up(Keys.SHIFT).perform()
    assert focused() == "slider"
    press(Keys.ARROW_RIGHT)
    page.wait(lambda: page.find("#slider").get_attribute("value") == "51", "the line")
    assert page.find("#slider").get_attribute("aria-valuetext").startswith("51 percent")
    unnamed = browser.execute_script("""
        return [...document.querySelectorAll('button, a, input, select, canvas, progress')].filter(e => e.checkVisibility())
            .filter(e => !e.getAttribute('aria-label') && !e.labels?.length && !e.textContent.trim()).map(e => e.outerHTML)
    """)
    assert unnamed == []
    assert page.find("#status").get_attribute("role") == "status" and "ready to save" in page.find(
        "#status"
    ).get_attribute("textContent")


def canvas(page):
    import base64
    import io

    data = page.browser.execute_script("return document.getElementById('picture').toDataURL()").partition(
        ","
    )[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def test_comparison_shows_both(browser, tiny_model, runtime, tmp_path):
    """At 100 % the right side is the result, pixel by pixel, the left one the photo."""
    (tmp_path / "nearest.html").write_text(
        build.render([page_model(str(tiny_model("nearest")), 128)], runtime)
    )
    page = Page(browser).open(tmp_path / "nearest.html")
    blocks = noise(38, 53, 1).repeat(8, 0).repeat(8, 1)[:300, :420].repeat(3, 2)
    photo = save_pillow(tmp_path / "a.png", blocks)
    result = np.asarray(Image.open(page.upscaled(photo, tmp_path / "page.png"))).astype(int)
    page.browser.execute_script(
        "document.getElementById('slider').value = 0; document.getElementById('slider').dispatchEvent(new Event('input'))"
    )
    page.find("#full").click()

    def shown():
        seen = canvas(page)
        height, width = seen.shape[:2]
        top, left = max(0, round((600 - height) / 2)), max(0, round((840 - width) / 2))
        own = result[top : top + height, left : left + width]
        if width > 840:
            seen = seen[:, round((width - 840) / 2) :][:, :840]
        inner = slice(20, None)  # beside the line's handle
        return np.abs(seen[:, inner] - own[:, inner]).mean() < 3  # tiles are looked at as JPEG

    page.wait(shown, "the result at 100 %")
    before = canvas(page)
    page.browser.execute_script(
        "document.getElementById('slider').value = 100; document.getElementById('slider').dispatchEvent(new Event('input'))"
    )
    page.wait(lambda: np.abs(canvas(page) - before).mean() > 1, "the photo as it was")


PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}


def test_phone_size(page, tmp_path):
    browser = page.browser
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        page.wait(lambda: browser.execute_script("return innerWidth") == 390, "a phone's width")
        page.choose(
            save_pillow(tmp_path / ("a_very_long_name_without_any_space_in_it_" * 3 + ".png"), noise(40, 200))
        )
        page.finished()
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
        targets = "return [...document.querySelectorAll('button, #queue a, select, #slider')].filter(e => e.checkVisibility())"
        assert browser.execute_script(f"{targets}.every(e => e.getBoundingClientRect().height >= 40)")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_dark_page_is_dark(page):
    def ground(scheme):
        page.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        color = page.browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        return [int(value) for value in re.findall(r"\d+", color)]

    assert max(ground("dark")) < 60 and min(ground("light")) > 200


def test_network_that_fails_is_told_and_opened_anew(browser, network, runtime, small, tmp_path):
    """Planted: an engine throws at its third tile; the next photo gets another one."""

    def failing(name):
        text = build._module(name)
        if name == "engine_worker.js":
            assert text.count("  const result = await upscaleWindow(") == 1
            text = text.replace(
                "  const result = await upscaleWindow(",
                "  self.runs = (self.runs ?? 0) + 1;\n  if (self.runs === 3) throw new Error('out of memory');\n"
                "  const result = await upscaleWindow(",
            )
        return text

    (tmp_path / "failing.html").write_text(build.render([page_model(str(network), WINDOW)], runtime, failing))
    page = Page(browser).open(tmp_path / "failing.html")
    few = save_pillow(tmp_path / "few.png", noise(WINDOW, 40))
    page.choose(photo_of(tmp_path, "rgb.png"), few)
    lines = page.finished(2)
    assert lines[0].startswith("the network failed (out of memory): choose the processor, or close other tabs")
    assert "seconds on" in lines[1]
    expected = python_result(few, tmp_path / "python.png", small, HALO)
    assert differences(page.saved(1, tmp_path / "page.png"), expected).max() <= 1


def test_models_can_be_chosen(browser, network, tiny_model, runtime, tmp_path):
    models = [page_model(str(network), WINDOW), page_model(str(tiny_model("nearest")), 128)]
    (tmp_path / "two.html").write_text(build.render(models, runtime))
    page = Page(browser).open(tmp_path / "two.html")
    photo = photo_of(tmp_path, "rgb.png")
    page.pick("model", "1")
    page.choose(photo)
    page.finished()
    with Image.open(page.saved(0, tmp_path / "p.png")) as image:
        assert np.array_equal(np.asarray(image), noise(70, 90).repeat(SCALE, 0).repeat(SCALE, 1))
    assert "MIT" in page.find("footer").get_attribute("textContent")


def test_hostile_card_is_only_text(browser, tiny_model, runtime, tmp_path):
    evil = "</script><img src=x onerror=document.title='owned'>"
    path = tmp_path / "evil.tflite"
    path.write_bytes(
        with_metadata(
            tiny_model("random").read_bytes(), {"halo": HALO, "stride": 1, "licence": evil, "credit": evil, evil: evil}
        )
    )
    model = page_model(str(path), WINDOW)
    (tmp_path / "evil.html").write_text(build.render([model], runtime))
    page = Page(browser).open(tmp_path / "evil.html")
    assert page.browser.title == "Photos 2 times larger" and evil in page.find("footer").get_attribute(
        "textContent"
    )
    assert page.browser.execute_script("return document.querySelectorAll('img').length") == 0


def test_texts_are_in_one_place():
    """No sentence in another module: a string with two words that people would read."""
    folder = Path(build.__file__).parent / "js"
    found = {}
    for path in sorted(folder.glob("*.js")):
        if path.name in ("texts.js", "eslint.config.js"):
            continue
        code = re.sub(r"/\*(.|\n)*?\*/|//.*", "", path.read_text())
        found[path.name] = re.findall(r'"([A-Za-z][^"\n]* [a-z][^"\n]*)"', code)
    assert {name: texts for name, texts in found.items() if texts} == {}


@pytest.fixture(scope="module")
def gpu_browser():
    chrome = open_browser(*SOFTWARE_GPU)
    yield chrome
    chrome.quit()


def test_webgpu_that_agrees_is_used(gpu_browser, written, small, tmp_path):
    page = Page(gpu_browser).open(written)
    page.pick("engine", "webgpu")
    photo = photo_of(tmp_path, "exif6.jpg")
    ours = page.upscaled(photo, tmp_path / "page.png")
    assert "graphics processor (WebGPU)" in page.lines()[0] and page.find("#note").text == ""
    assert differences(ours, python_result(photo, tmp_path / "python.png", small, HALO)).max() <= 1
    assert page.requests() == []


def test_webgpu_that_is_wrong_is_not_used(gpu_browser, network, runtime, small, tmp_path):
    """Planted: what WebGPU returns is a little brighter in one place."""

    def wrong(name):
        text = build._module(name)
        if name == "engine_worker.js":
            assert text.count("await output.data();") == 1
            text = text.replace(
                "await output.data();",
                "await output.data(); if (network.options.accelerator === 'webgpu') result[700] += 0.01;",
            )
        return text

    (tmp_path / "wrong.html").write_text(build.render([page_model(str(network), WINDOW)], runtime, wrong))
    page = Page(gpu_browser).open(tmp_path / "wrong.html")
    page.pick("engine", "webgpu")
    photo = photo_of(tmp_path, "rgb.png")
    ours = page.upscaled(photo, tmp_path / "page.png")
    assert "on the processor" in page.lines()[0]
    assert page.find("#note").text.startswith(
        "WebGPU gave a wrong picture on a test tile (2.5 of 255 levels off)"
    )
    assert differences(ours, python_result(photo, tmp_path / "python.png", small, HALO)).max() <= 1


def test_software_webgpu_is_not_chosen_by_itself(gpu_browser, written, tmp_path):
    page = Page(gpu_browser).open(written)
    page.upscaled(photo_of(tmp_path, "smaller.jpg"), tmp_path / "page.png")
    assert "on the processor" in page.lines()[0] and page.find("#note").text == ""


def test_missing_webgpu_is_told(page, tmp_path):
    page.pick("engine", "webgpu")
    page.upscaled(photo_of(tmp_path, "smaller.jpg"), tmp_path / "page.png")
    assert "on the processor" in page.lines()[0] and "offers no WebGPU" in page.find("#note").text
