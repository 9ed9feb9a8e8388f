"""Which models a page takes, at which window, and what it says of the others; LiteRT.js; the command."""

import json
import re
import shutil

import numpy as np
import pytest
from support.command_line import one_line_error, run
from support.networks import randomise
from support.page_browser import FixedWindowEngine, runtime_or_skip

from conversion.engines.base import UNBOUNDED_HALO
from conversion.engines.cpu import CpuEngine
from conversion.tflite.file import read_tflite, with_metadata
from conversion.webpage import litert_js
from conversion.webpage.build import write_page
from conversion.webpage.models import WINDOW, page_model
from keras_models.lkdn import LKDN
from keras_models.system.errors import MobileSRError, ModelError


def with_card(tiny_model, folder, name, **card):
    path = folder / f"{name}.tflite"
    path.write_bytes(with_metadata(tiny_model(name).read_bytes(), {"stride": 1} | card))
    return path


@pytest.mark.parametrize(("halo", "window"), [(0, WINDOW), (8, WINDOW), (64, WINDOW), (65, 260), (128, 512)])
def test_half_of_a_window_is_core(tiny_model, tmp_path, halo, window):
    model = page_model(str(with_card(tiny_model, tmp_path, "random", halo=halo)))
    assert (model.halo, model.window, model.scale) == (halo, (window, window), 2)


def test_file_at_another_window_is_the_same_network(tiny_model, tmp_path):
    (tmp_path / "page.tflite").write_bytes(page_model(str(tiny_model("random")), 40).data)
    image = np.random.default_rng(0).random((40, 40, 3), np.float32)
    expected = CpuEngine(tiny_model("random")).run(image)
    assert np.abs(FixedWindowEngine(tmp_path / "page.tflite").run(image) - expected).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "card", "says"),
    [
        ("random", {"halo": 129}, "needs 129 pixels around what it enlarges, a page has 128"),
        ("random", {"halo": UNBOUNDED_HALO}, "is not used"),
        ("fixed", {"halo": 5}, "runs only at 16x16 and needs 5 pixels .* convert it with `tile` 20x20 or more"),
        ("random", {"halo": 8, "stride": 4}, "sees photos in blocks of 4 pixels"),
        ("int8", {"halo": 0}, "takes int8 images, a page float32 ones"),
        ("classifier", {}, "super-resolution"),
    ],
)
def test_models_that_cannot_run_are_refused(tiny_model, tmp_path, name, card, says):
    path = with_card(tiny_model, tmp_path, name, **card)
    if says == "is not used":  # a card may not say so: the halo is measured then
        assert page_model(str(path)).halo < 16
        return
    with pytest.raises(ModelError, match=says):
        page_model(str(path))


def test_network_that_looks_at_the_whole_photo_is_refused(tmp_path):
    from keras_models.mafdn import MAFDN

    randomise(MAFDN(scale=2, features=16, distilled=8, blocks=1)).save(tmp_path / "whole.keras")
    with pytest.raises(ModelError, match=r"whole.keras: looks at the whole photo .* use `mobile-sr upscale`"):
        page_model(str(tmp_path / "whole.keras"), 128)


def test_network_becomes_a_float16_file(tmp_path):
    randomise(LKDN(scale=3, features=8, attention_channels=6, blocks=1), seed=3).save(tmp_path / "tiny.keras")
    model = page_model(str(tmp_path / "tiny.keras"), 128)
    (tmp_path / "page.tflite").write_bytes(model.data)
    assert (model.label, model.window, model.scale, model.halo) == ("tiny.keras", (128, 128), 3, 32)
    assert {t.dtype for t in read_tflite(tmp_path / "page.tflite").tensors if t.bytes > 100} >= {"float16"}
    assert model.card["recipe"] == "float16"


def test_packages_are_the_pinned_ones(tmp_path):
    opened = runtime_or_skip()
    assert opened.wasm[:4] == b"\0asm" and "ModuleFactory" in opened.script and "Apache License" in opened.licence
    assert not re.search(r"^(import|export)\b", opened.script, re.MULTILINE)
    cache = litert_js.package_folder()
    for package in litert_js.PACKAGES:
        shutil.copy(cache / package.file, tmp_path)
    assert litert_js.litert_js(tmp_path) == opened
    data = bytearray((tmp_path / litert_js.PACKAGES[0].file).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / litert_js.PACKAGES[0].file).write_bytes(data)
    with pytest.raises(ModelError, match=r"is not @litertjs/core@.* as it was released: remove it"):
        litert_js.litert_js(tmp_path)


def test_without_npm_there_is_one_line(tiny_model, tmp_path):
    """No npm on the path, an empty cache; the same with an npm that cannot reach anything; nothing is written."""
    target = tmp_path / "page.html"
    words = ("page", tiny_model("random"), "-o", target)
    bare = {"PATH": "/nowhere", "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    line = one_line_error(run(*words, env=bare))
    assert "npm is not installed" in line and "--litert-js" in line and "@litertjs/core@" in line
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/npm").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin/npm").chmod(0o755)
    line = one_line_error(run(*words, env={**bare, "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}))
    assert "cannot be downloaded" in line and "go online once" in line
    assert not target.exists()


def test_command(tiny_model, tmp_path):
    runtime_or_skip()
    target = tmp_path / "page.html"
    done = run("page", tiny_model("random"), tiny_model("nearest"), "-o", target)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{target}: {target.stat().st_size / 1e6:.2f} MB")
    facts = json.loads(target.read_text().partition('id="models">')[2].partition("</script>")[0])
    assert [model["label"] for model in facts] == ["random.tflite", "nearest.tflite"]
    assert target.stat().st_size < 4.6e6


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("random", "-o", "page.txt"), "must end in .html"),
        (("random", "random", "-o", "page.html"), "given twice"),
        (("random", "-o", "page.html", "--litert-js", "."), "npm pack"),
        (("int8", "-o", "page.html"), "int8"),
    ],
)
def test_bad_requests_are_one_line(tiny_model, tmp_path, words, says):
    given = [tiny_model(word) if word in ("random", "int8") else word for word in words]
    assert says in one_line_error(run("page", *given, cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_where_a_page_cannot_be(tiny_model, tmp_path):
    with pytest.raises(MobileSRError, match="cannot be written"):
        write_page([str(tiny_model("random"))], tmp_path / "no/folder/page.html")
