"""Published weights: fetched when named, once, whole and checked before anything reads them; every failure is one true line."""

import contextlib
import errno
import hashlib
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import weights_server as server_of
from support.command_line import one_line_error, run, run_here
from support.disks import mounted
from support.networks import randomise

from keras_models.catalogue import CATALOGUE, find_published
from keras_models.checkpoints import fetching, state_dict
from keras_models.checkpoints.fetching import fetch, is_fetched, place_of, weights_folder
from keras_models.checkpoints.loading import load_model
from keras_models.checkpoints.network_weights import state_of
from keras_models.lkdn import LKDN
from keras_models.system.errors import FetchError, ModelError, OutputError

NAME = "tiny-x2@tests"


@pytest.fixture(scope="module")
def network():
    return randomise(LKDN(scale=2, features=8, attention_channels=6, blocks=1))


@pytest.fixture(scope="module")
def weights_file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "TINY_x2.npz"
    np.savez(path, **state_of(network))
    return path


@pytest.fixture
def server(monkeypatch):
    for name in ("MOBILE_SR_WEIGHTS", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with server_of.weights_server() as server:
        yield server


@pytest.fixture
def tiny(server, weights_file, tmp_path, monkeypatch):
    """A tiny network's entry in the catalogue, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    entry = server.publish(NAME, weights_file.read_bytes(), file="TINY_x2.npz")
    monkeypatch.setitem(CATALOGUE, NAME, entry)
    monkeypatch.setattr(fetching, "_watch", fetching._silently)  # a command sets its own
    return entry


def kept():
    """Names of all that lies in the cache."""
    return sorted(os.listdir(weights_folder())) if weights_folder().is_dir() else []


def refused(entry, error=FetchError):
    """The one line with which fetching fails, after which nothing is there."""
    with pytest.raises(error) as caught:
        fetch(entry)
    assert "\n" not in str(caught.value) and kept() == [] and not is_fetched(entry)
    return str(caught.value)


def test_a_name_is_fetched_once(tiny, server, network):
    assert not is_fetched(tiny) and server.asked == []
    for model in (NAME, "tiny-x2@tests", "TINY_x2"):
        again = state_of(load_model(model))
        assert all(np.array_equal(again[name], array) for name, array in state_of(network).items())
    assert server.asked == ["GET /TINY_x2.npz"] and kept() == ["TINY_x2.npz"] and is_fetched(tiny)
    assert LKDN.from_preset(NAME).blocks == 1 and len(server.asked) == 1


def test_nothing_is_fetched_unless_named(tiny, server, monkeypatch):
    from conversion.commands.model_list import list_models
    from conversion.source import ModelSource

    load_model("lkdn-s-x4")
    listed = {weights.name: weights.state for weights in list_models().published}
    assert listed[NAME] == "to fetch" and f"{NAME} " in list_models().as_text()
    assert ModelSource.of(NAME).facts["licence"] == "CC0-1.0" and server.asked == []
    fetch(tiny)
    assert {weights.name: weights.state for weights in list_models().published}[NAME] == "fetched"


def test_what_is_fetched_is_announced(tiny, capfd, monkeypatch):
    done = run_here(capfd, monkeypatch, "fetch", NAME)
    assert done.returncode == 0 and done.stdout.strip() == str(place_of(tiny))
    assert f"{NAME}, 0.0 MB, from {tiny.address}" in done.stderr and "licence is CC0-1.0; made by a test" in done.stderr
    assert run_here(capfd, monkeypatch, "fetch", NAME).stderr == ""


def test_progress_is_of_bytes(tiny, monkeypatch):
    seen = []

    @contextlib.contextmanager
    def watch(weights, address):
        yield lambda done, total: seen.append((done, total))

    monkeypatch.setattr(fetching, "_watch", watch)
    monkeypatch.setattr(fetching, "_CHUNK", 1000)
    fetch(tiny)
    assert len(seen) == -(-tiny.size // 1000) and seen == sorted(seen) and seen[-1] == (tiny.size, tiny.size)


def test_a_wrong_byte_is_refused_before_anything_reads_it(tiny, server, monkeypatch):
    read = []
    reader = state_dict._READERS[".npz"]
    monkeypatch.setitem(state_dict._READERS, ".npz", lambda path: read.append(path) or reader(path))
    server.answer = server_of.changed
    assert "sent something else" in refused(tiny)
    with pytest.raises(FetchError, match="nothing of it was read or kept"):
        load_model(NAME)
    assert read == []
    server.answer = server_of.whole
    load_model(NAME)  # control: the right one is read
    assert read == [place_of(tiny)]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (server_of.cut, r"broke after [\d,]+ of [\d,]+ bytes: run the command again"),
        (server_of.endless, r"sent something else \([\d,]+ bytes"),
        (server_of.login_page, r"sent something else \(43 bytes"),
        (lambda handler, data: handler.send_error(503), "answers 503 .Service Unavailable.* try later"),
        (lambda handler, data: handler.send_error(407), "answers 407"),
        (lambda handler, data: handler.wfile.write(b"no HTTP at all\r\n\r\n"), "no connection to 127.0.0.1"),
        (lambda handler, data: None, "no connection to 127.0.0.1"),
    ],
    ids=["cut", "endless", "login page", "busy", "proxy wants a password", "no HTTP", "hangs up"],
)
def test_bad_servers(tiny, server, answer, words):
    server.answer = answer
    line = refused(tiny)
    assert re.search(words, line), line
    assert line.startswith(f"{NAME}: ") and line.endswith(f"or download {tiny.address} elsewhere and put it at {place_of(tiny)}")
    server.answer = server_of.whole
    assert fetch(tiny).read_bytes() == server.files["TINY_x2.npz"]  # begun again from the start


@pytest.mark.parametrize(("answer", "words"), [(server_of.silent, "did not answer within 0.2 s"), (server_of.stall, "broke after")])
def test_patience_ends(tiny, server, answer, words, monkeypatch):
    monkeypatch.setattr(fetching, "PATIENCE_S", 0.2)
    server.answer = answer
    assert words in refused(tiny)


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_without_a_network(tiny, monkeypatch):
    monkeypatch.setenv("MOBILE_SR_WEIGHTS", f"http://127.0.0.1:{closed_port()}")
    line = refused(tiny)
    assert os.strerror(errno.ECONNREFUSED) in line and "go online once" in line
    monkeypatch.setenv("MOBILE_SR_WEIGHTS", "http://weights.invalid/there")
    assert "no connection to weights.invalid" in refused(tiny)


def test_by_hand_as_the_error_says(tiny, server, weights_file):
    server.answer = server_of.cut
    place = refused(tiny).rpartition("put it at ")[2]
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.write(weights_file.read_bytes())
    assert fetch(tiny) == place_of(tiny) and len(server.asked) == 1


def test_through_a_proxy(tiny, server, monkeypatch):
    monkeypatch.setenv("MOBILE_SR_WEIGHTS", "http://weights.invalid/there/")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    line = refused(tiny)
    assert "the proxy between here and weights.invalid does not work" in line and "check HTTP_PROXY" in line
    monkeypatch.setenv("HTTP_PROXY", server.address)
    fetch(tiny)
    assert server.asked == ["GET http://weights.invalid/there/TINY_x2.npz"]


def test_a_mirror_at_an_address(tiny, server, monkeypatch):
    monkeypatch.setenv("MOBILE_SR_WEIGHTS", f"{server.address}/mirrored/here/")
    fetch(tiny)
    assert server.asked == ["GET /mirrored/here/TINY_x2.npz"]


def test_a_mirror_in_a_folder(tiny, server, weights_file, tmp_path, monkeypatch):
    monkeypatch.setenv("MOBILE_SR_WEIGHTS", str(weights_file.parent))
    assert fetch(tiny) == weights_file and server.asked == [] and kept() == []
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("MOBILE_SR_WEIGHTS", str(mirror))
    assert f"which has no TINY_x2.npz: put the file of {tiny.address} there" in refused(tiny)
    (mirror / "TINY_x2.npz").write_bytes(weights_file.read_bytes()[:-1])
    assert "is not tiny-x2@tests as published" in refused(tiny) and server.asked == []


def test_a_mirror_of_another_kind(tiny, monkeypatch):
    monkeypatch.setenv("MOBILE_SR_WEIGHTS", "ftp://somewhere/weights")
    assert "begins with http:// or https://, or a folder" in refused(tiny)


def test_a_damaged_file_is_fetched_again(tiny, server, weights_file):
    place = fetch(tiny)
    place.write_bytes(bytes(tiny.size))
    assert not is_fetched(tiny)
    assert fetch(tiny).read_bytes() == weights_file.read_bytes() and len(server.asked) == 2


def test_a_cache_that_cannot_be_written(tiny, tmp_path, monkeypatch):
    with mounted(tmp_path / "disk", "ro,size=64k") as disk:
        monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
        line = refused(tiny, OutputError)
    assert "Read-only" in line and "XDG_CACHE_HOME may name another cache" in line
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    assert "cannot be made (Not a directory)" in refused(tiny, OutputError)


def test_a_full_disk(tiny, tmp_path, monkeypatch):
    with mounted(tmp_path / "disk", "size=8k") as disk:
        monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
        assert "No space left" in refused(tiny, OutputError)


PROGRAM = """
import sys
from keras_models.catalogue import CATALOGUE, Published
from keras_models.checkpoints.fetching import fetch
print(fetch(Published("tiny-x2@tests", "LKDN", 2, sys.argv[1], int(sys.argv[2]), sys.argv[3], "CC0-1.0", "", "")))
"""


def fetching_process(entry):
    command = [sys.executable, "-c", PROGRAM, entry.address, str(entry.size), entry.sha256]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_at_once(tiny, server):
    server.answer = server_of.wait_for_another
    both = [fetching_process(tiny) for _ in range(2)]
    assert [process.communicate(timeout=120) for process in both] == [(f"{place_of(tiny)}\n", "")] * 2
    assert len(server.asked) == 2 and kept() == ["TINY_x2.npz"] and is_fetched(tiny)


def test_a_killed_download_leaves_nothing_that_counts(tiny, server):
    server.answer = server_of.stall
    process = fetching_process(tiny)
    assert server.half_sent.wait(60)
    process.kill()
    process.communicate()
    assert "TINY_x2.npz" not in kept() and not is_fetched(tiny)
    server.answer = server_of.whole
    done = fetching_process(tiny)
    assert done.communicate(timeout=60)[1] == "" and kept() == ["TINY_x2.npz"]  # what was half-written has gone too


def test_commands_take_a_name(tiny, tmp_path, capfd, monkeypatch):
    from PIL import Image

    (tmp_path / "photos").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)).save(tmp_path / "photos/a.png")
    commands = [
        ("evaluate", NAME, "--data", tmp_path / "photos"),
        ("import", NAME, "-o", tmp_path / "a.keras"),
        ("fold", NAME, "-o", tmp_path / "b.keras"),
        ("blend", NAME, NAME, "--share", "0.5", "-o", tmp_path / "c.safetensors"),
    ]
    for command in commands:
        done = run_here(capfd, monkeypatch, *command)
        assert done.returncode == 0, done.stderr


def test_the_card_names_whose_the_weights_are(tiny):
    from conversion.convert_model import convert_network

    card = convert_network(NAME, tile=(16, 16)).card
    assert (card.name, card.licence, card.credit) == (NAME, "CC0-1.0", "made by a test")
    assert (card.source, card.weights_sha256) == ("TINY_x2.npz", tiny.sha256)


def test_a_preset_without_weights_says_what_to_fetch():
    with pytest.raises(ModelError, match=r"no weights are shipped .*: give lkdn-x4@authors \(published, 2.7 MB\), or train it"):
        load_model("lkdn-x4")
    with pytest.raises(ModelError, match="says itself which variant it is"):
        load_model("lkdn-x4@authors", "BSConvU_idt")


def test_unknown_names_are_one_line(tmp_path, capfd, monkeypatch):
    def refusal(*words):
        return one_line_error(run_here(capfd, monkeypatch, *words))

    assert "give lkdn-x4@authors" in refusal("fetch", "lkdn-x4")
    assert all(name in refusal("fetch", "edsr@authors") for name in CATALOGUE)
    assert "or --all" in refusal("fetch") and "or --all" in refusal("fetch", "lkdn-x4@authors", "--all")
    assert "no such preset or file" in refusal("import", "lkdn-x4@nobody", "-o", tmp_path / "x.keras")


def test_all_are_fetched_and_each_failure_is_told(tiny, server, capfd, monkeypatch):
    for name in list(CATALOGUE):
        monkeypatch.delitem(CATALOGUE, name)
    monkeypatch.setitem(CATALOGUE, "gone-x2@tests", server.publish("gone-x2@tests", b"x", file="GONE.npz"))
    monkeypatch.setitem(CATALOGUE, NAME, tiny)
    del server.files["GONE.npz"]
    done = run_here(capfd, monkeypatch, "fetch", "--all")
    assert done.returncode == 2 and "answers 404" in done.stderr.splitlines()[-1]
    assert done.stdout.strip() == str(place_of(tiny))


def test_the_catalogue_is_sound():
    from keras_models.registry import PRESETS, networks

    files = [weights.file for weights in CATALOGUE.values()]
    assert len(set(files)) == len(files)  # a mirror is one folder
    for name, weights in CATALOGUE.items():
        assert name == weights.name and re.fullmatch("[0-9a-f]{64}", weights.sha256) and weights.licence and weights.credit and weights.use
        assert re.match(r"https://(raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/|github\.com/.*/releases/)", weights.address)
        assert bool(weights.quality) == bool(weights.measured)
        preset = PRESETS.get(name.partition("@")[0])
        if weights.network in networks():
            assert (preset.network, preset.scale) == (weights.network, weights.scale)
        if weights.denoise:
            pair = CATALOGUE[weights.denoise]
            assert (pair.network, pair.scale, pair.size) == (weights.network, weights.scale, weights.size)


def test_the_page_about_weights_says_what_the_catalogue_says():
    text = (Path(__file__).parents[3] / "docs/weights.md").read_text()
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|") and "@" in line]
    told = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in rows}
    for name, weights in CATALOGUE.items():
        figures = [f"{weights.quality[data]['psnr_y']:.3f}" if weights.quality else "" for data in ("Set5", "Set14")]
        assert told.pop(name) == [weights.use, weights.licence, f"{weights.size / 1e6:.1f}", *figures]
    assert not told


def test_names_may_be_short():
    assert find_published("lkdn-s@authors").name == "lkdn-s-x4@authors"
    assert find_published("realesr-general-x4v3").name == "compact-x4@general"
    assert find_published("lkdn-s") is None and find_published("lkdn-x9@authors") is None


def test_the_catalogue_is_right_about_the_files_at_hand(reference):
    known = {weights.sha256: weights for weights in CATALOGUE.values()}
    found = {}
    for path in reference.glob("*.pth"):
        data = path.read_bytes()
        if weights := known.get(hashlib.sha256(data).hexdigest()):
            assert weights.size == len(data) and weights.licence == "MIT"
            found[weights.name] = path.name
    lkdn = {f"lkdn-x{scale}@authors": f"LKDN_x{scale}.pth" for scale in (2, 3, 4)}
    assert found == lkdn | {"lkdn-s-x4@authors": "LKDN-S_x4.pth", "span-28-x4@authors": "span_x4.pth"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, weights in CATALOGUE.items() if weights.quality])
def test_published_figures_by_name(name, server, shared, tmp_path, monkeypatch):
    """The catalogue's figures, of the file that a server gives under its published name."""
    from conversion.measuring.evaluate import evaluate_model

    weights = CATALOGUE[name]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("MOBILE_SR_WEIGHTS", server.address)
    files = (path.read_bytes() for path in (shared / "reference").glob("*.pth"))
    server.files[weights.file] = next(data for data in files if hashlib.sha256(data).hexdigest() == weights.sha256)
    for data, figures in weights.quality.items():
        mean = evaluate_model(name, shared / "data" / data).mean
        assert mean.psnr_y == pytest.approx(figures["psnr_y"], abs=0.001) and mean.ssim_y == pytest.approx(figures["ssim_y"], abs=1e-4)
    assert server.asked == [f"GET /{weights.file}"]


@pytest.mark.slow
def test_upscale_by_name(server, shared, tmp_path):
    """A whole command: the conversion happens in another process, which finds the file in the cache."""
    from PIL import Image

    server.files["LKDN-S_x4.pth"] = (shared / "reference/LKDN-S_x4.pth").read_bytes()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)).save(tmp_path / "a.png")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "MOBILE_SR_WEIGHTS": server.address}
    done = run("upscale", tmp_path / "a.png", "--model", "lkdn-s@authors", env=environment)
    assert done.returncode == 0, done.stderr
    assert len(server.asked) == 1 and "its licence is MIT" in done.stderr
    with Image.open(tmp_path / "a_x4.png") as image:
        assert image.size == (96, 80)
