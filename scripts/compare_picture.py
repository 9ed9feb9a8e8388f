"""The picture of docs/weights.md: `python scripts/compare_picture.py PAGE.html PICTURE.png`."""

import io
import sys
from pathlib import Path

from PIL import Image

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tests")]

from support.page_browser import Page, open_browser  # noqa: E402

_COLOURS = 200


def main() -> None:
    """Writes the picture: the page from its top to the end of the places, fitted."""
    page_file, target = (Path(word).resolve() for word in sys.argv[1:])
    browser = open_browser()
    try:
        page = Page(browser).open(page_file)
        page.wait(lambda: browser.execute_script("return [...document.images].every(image => image.complete)"), "its pictures")
        height = browser.execute_script("return document.querySelector('#places').getBoundingClientRect().bottom + 24")
        size = {"width": 1180, "height": int(height), "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        shot = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    finally:
        browser.quit()
    shot.quantize(_COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    main()
