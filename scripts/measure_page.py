"""What the page costs in a browser: time, processor time, memory, and its thread's longest task.

    python scripts/measure_page.py [--rounds N] PHOTO PAGE.html [PAGE.html ...]

Headless Chromium opens a page from disk, anew for each measurement; with several pages they take turns. Memory
is the sum of the proportional set sizes (PSS) of all of the browser's processes, processor time that of all of
them. The longest task is the processor time that the page's own thread once needed before it could draw a frame;
the wait for a frame by the clock says more about a busy machine.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tests")]

from support.page_browser import Page, open_browser  # noqa: E402

_LONGEST_S = 3600
_TICK = os.sysconf("SC_CLK_TCK")
_WATCH = """
    window.longest = 0;
    let last = 0;
    const frame = (now) => {
      if (last) longest = Math.max(longest, now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
"""
_OVER = "return document.querySelector('#queue li button[aria-label^=Remove]:not([hidden])') !== null"


def main() -> None:
    """Prints one line of JSON a measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("photo", type=Path)
    parser.add_argument("pages", type=Path, nargs="+")
    given = parser.parse_args()
    for _ in range(given.rounds):
        for page in given.pages:
            sys.stdout.write(json.dumps(measure(page.resolve(), given.photo.resolve())) + "\n")
            sys.stdout.flush()


def measure(page_file: Path, photo: Path) -> dict:
    """One photo on one page."""
    with tempfile.TemporaryDirectory() as scratch:
        trace = Path(scratch) / "trace.json"
        startup = (
            "--trace-startup=toplevel,devtools.timeline",
            "--trace-startup-duration=0",
            "--trace-startup-format=json",
        )
        browser = open_browser("--disable-gpu", *startup, f"--trace-startup-file={trace}")
        try:
            page = Page(browser).open(page_file)
            root = browser.service.process.pid
            idle = peak = _memory(root)
            browser.execute_script(_WATCH)
            began, before = time.monotonic(), _processor(root)
            page.choose(photo)
            while not browser.execute_script(_OVER):
                peak = max(peak, _memory(root))
                if time.monotonic() - began > _LONGEST_S:
                    raise TimeoutError(page.lines()[0])
                time.sleep(0.25)
            seconds, spent = time.monotonic() - began, _processor(root) - before
            frame = browser.execute_script("return longest")
            said = page.lines()[0]
            browser.execute_cdp_cmd("Browser.close", {})
            task = longest_task(trace)
        finally:
            browser.quit()
        return {
            "page": page_file.name,
            "photo": photo.name,
            "said": said,
            "seconds": round(seconds, 1),
            "processor_s": round(spent, 1),
            "idle_mb": round(idle / 1e6),
            "peak_mb": round(peak / 1e6),
            "longest_task_processor_ms": round(task),
            "longest_frame_ms": round(frame),
            "load": round(os.getloadavg()[0], 1),
        }


def longest_task(trace: Path) -> float:
    """Milliseconds of processor time; of the thread that parsed a page from disk."""
    events = None
    while events is None:  # the browser writes its trace as it ends
        time.sleep(0.5)
        with contextlib.suppress(FileNotFoundError, ValueError):
            events = json.loads(trace.read_text())["traceEvents"]
    spans = [event for event in events if event.get("ph") == "X"]
    parsed = (event for event in spans if event["name"] == "ParseHTML")
    own = {(e["pid"], e["tid"]) for e in parsed if e["args"]["beginData"].get("url", "").startswith("file:")}
    tasks = [e for e in spans if (e["pid"], e["tid"]) in own and e["name"].endswith("RunTask")]
    return max(event.get("tdur", 0) for event in tasks) / 1000


def _tree(root: int) -> list[int]:
    """A process and all below it; the driver, which is small, is one of them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def _memory(root: int) -> int:
    total = 0
    for process in _tree(root):
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total


def _processor(root: int) -> float:
    ticks = 0
    for process in _tree(root):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICK


if __name__ == "__main__":
    main()
