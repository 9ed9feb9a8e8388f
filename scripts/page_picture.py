"""The picture of docs/page.md: `python scripts/page_picture.py PAGE.html PHOTO PICTURE.png`."""

import io
import sys
from pathlib import Path

from PIL import Image

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tests")]

from support.page_browser import Page, open_browser  # noqa: E402

_HEIGHT, _GAP = 900, 24
_COLOURS = 160
_DESKTOP = {"width": 1100, "height": _HEIGHT, "deviceScaleFactor": 1, "mobile": False}
_PHONE = {"width": 416, "height": _HEIGHT, "deviceScaleFactor": 1, "mobile": True}


def main() -> None:
    """Writes the picture."""
    page_file, photo, target = (Path(word).resolve() for word in sys.argv[1:])
    browser = open_browser()
    try:
        page = Page(browser).open(page_file)
        _show(browser, _DESKTOP, "light")
        page.choose(photo)
        page.wait(lambda: "left" in page.lines()[0], "half of the tiles")
        half = "const bar = document.querySelector('progress'); return bar.hidden || bar.value >= bar.max / 2"
        page.wait(lambda: browser.execute_script(half), "half of the tiles")
        pictures = [_shot(browser)]
        page.finished()
        page.find("#full").click()
        _show(browser, _DESKTOP, "dark")
        page.wait(lambda: browser.execute_script("return document.getElementById('picture').width > 900"), "100 %")
        browser.execute_script("document.getElementById('queue').scrollIntoView()")
        page.wait(lambda: not _flat(_shot(browser)), "the tiles at 100 %")
        pictures.append(_shot(browser))
        _show(browser, _PHONE, "light")
        page.find("#fit").click()
        browser.execute_script("document.getElementById('choices').scrollIntoView()")
        page.wait(lambda: not _flat(_shot(browser)), "the phone's picture")
        pictures.append(_shot(browser))
    finally:
        browser.quit()
    _beside(pictures).quantize(_COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def _show(browser, size: dict, scheme: str) -> None:  # noqa: ANN001
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )


def _shot(browser) -> Image.Image:  # noqa: ANN001
    return Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")


def _flat(picture: Image.Image) -> bool:
    """Whether its middle, where the photo is to come, is of few colours still."""
    width, height = picture.size
    return len(picture.crop((width // 3, height // 2, width // 2, height * 2 // 3)).getcolors(1 << 24)) < 500


def _beside(pictures: list[Image.Image]) -> Image.Image:
    width = sum(picture.width for picture in pictures) + _GAP * (len(pictures) + 1)
    whole = Image.new("RGB", (width, _HEIGHT + 2 * _GAP), "#c9d0d8")
    left = _GAP
    for picture in pictures:
        whole.paste(picture, (left, _GAP))
        left += picture.width + _GAP
    return whole


if __name__ == "__main__":
    main()
