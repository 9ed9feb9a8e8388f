"""A page in headless Chromium, from disk and without a network; and what Python makes of the same photo."""

import base64
import json
import os
import shutil

import pytest

from conversion.engines.cpu import CpuEngine
from conversion.upscaling.pipeline import UpscaleOptions, upscale_file
from conversion.webpage import litert_js
from keras_models.system.errors import ModelError

PATIENCE_S = 240
# A software WebGPU, for tests alone.
SOFTWARE_GPU = (
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


class FixedWindowEngine(CpuEngine):
    """Runs a file at its own window only, as the page does."""

    def __init__(self, path):
        super().__init__(path)
        self.resizable = False


def python_result(photo, target, model, halo):
    """Upscales as `mobile-sr upscale`, in the page's windows."""
    upscale_file(photo, target, FixedWindowEngine(model), UpscaleOptions(halo=halo, overwrite=True))
    return target


class Page:
    """One opened page; what its people do and see."""

    def __init__(self, browser):
        self.browser = browser

    def open(self, path):
        """Opens the file; the requests and console lines of `quiet` are this page's alone."""
        for kind in ("browser", "performance"):
            self.browser.get_log(kind)
        self.browser.get(path.as_uri())
        return self

    def choose(self, *photos):
        """Chooses photos as the file dialog would."""
        self.find("#files").send_keys("\n".join(map(str, photos)))

    def pick(self, choice, value):
        from selenium.webdriver.support.select import Select

        Select(self.find(f"#{choice}")).select_by_value(value)

    def find(self, selector):
        return self.browser.find_element("css selector", selector)

    def lines(self):
        """What the list says of each photo."""
        return [line.text for line in self.browser.find_elements("css selector", "#queue .said")]

    def wait(self, condition, what):
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.browser, PATIENCE_S, poll_frequency=0.1).until(
            lambda _: condition(), f"{what}: {self.lines()}"
        )

    def finished(self, count=1):
        """Waits until so many photos are done or have failed; returns their lines."""
        over = (
            "return [...document.querySelectorAll('#queue li')].filter(li => \
            [...li.querySelectorAll('button:not([hidden])')].some(b => b.textContent === 'Remove')).length"
        )
        self.wait(lambda: self.browser.execute_script(over) >= count, f"{count} finished")
        return self.lines()

    def saved(self, index, target):
        """Writes a finished photo's file; returns the path."""
        script = """
            const [index, done] = arguments;
            const link = document.querySelectorAll('#queue li')[index].querySelector('a');
            fetch(link.href).then(r => r.blob()).then(blob => { const reader = new FileReader();
              reader.onload = () => done([link.download, blob.type, reader.result.split(',')[1]]);
              reader.readAsDataURL(blob); })
        """
        name, kind, data = self.browser.execute_async_script(script, index)
        target.write_bytes(base64.b64decode(data))
        self.saved_as = (name, kind)
        return target

    def upscaled(self, photo, target):
        """One photo in, one file out."""
        self.choose(photo)
        line = self.finished()[0]
        assert "seconds on" in line, line
        return self.saved(0, target)

    def requests(self):
        """Addresses that the page and its workers asked for, but for what lies in itself."""
        events = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        addresses = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        assert any(address.startswith("file:") for address in addresses)
        return [address for address in addresses if not address.startswith(("file:", "blob:", "data:"))]

    def complaints(self):
        """Errors and warnings of the console."""
        return [
            entry["message"]
            for entry in self.browser.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]


def runtime_or_skip():
    """LiteRT.js from the cache, or by npm."""
    try:
        return litert_js.litert_js()
    except ModelError as error:
        assert not os.environ.get("MOBILE_SR_REQUIRE_SHARED"), error
        pytest.skip(str(error))


def open_browser(*extra):
    """Headless Chromium without a network; quit it."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        assert not os.environ.get("MOBILE_SR_REQUIRE_SHARED"), "a browser must be there in CI"
        pytest.skip("needs Chromium and its driver: run scripts/browser_packages.sh")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    arguments = extra or ("--disable-gpu",)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
        *arguments,
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chrome.set_script_timeout(PATIENCE_S)
    chrome.execute_cdp_cmd("Network.enable", {})
    everything_off = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    chrome.execute_cdp_cmd("Network.emulateNetworkConditions", everything_off)
    return chrome
