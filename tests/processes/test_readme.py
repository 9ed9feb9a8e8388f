"""Every command in the README does what it says: each is run, on small stand-ins, or listed here with the reason why not.

The words in capitals and the file names of the README are files of these names in a scratch folder, a fresh one for each block or
sentence, so a command is run as it stands there; what the tests change is in `CHANGES`.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.exceptions import TyperException

from conversion.commands.main import app
from conversion.gpu.devices import package_folder
from conversion.webpage import litert_js
from keras_models.system.errors import TrainingError

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "android_demo/README.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = {str(path.relative_to(ROOT)): path.read_text() for path in PAGES}

NOT_RUN = {
    r"scripts/setup\.sh": "it made the environment that this test runs in, .ci/run calls it",
    r"scripts/gpu_packages\.sh": ".ci/run calls it",
    r"pytest\b": "it is what runs this test",
    r"(python -m )?(pip|venv)\b": "tests/processes/test_wheel.py makes a wheel and runs it in a bare environment",
    r"mobile-sr (compile\b|verify .*--npu\b)|python scripts/measure_npu\.py": "takes the extra `npu`; tests/conversion/npu, with it",
    r"python scripts/pack_run\.py|python3 \w+/go\.py": "it downloads wheels; docs/packed-run.md says how it was rehearsed",
    r"mobile-sr .*--adb\b": "needs a phone; tests/conversion/measuring/test_benchmark_phone.py plays one",
}
"""Commands that no test here runs, and why; their flags are checked all the same."""

CHANGES = {
    r"mobile-sr (train|compare-optimizers)\b": "--steps 2 --batch 2 --patch 8 --interval 2",
    r"mobile-sr benchmark-training\b": "--batch 2 --patch 8",
    r"mobile-sr qat\b": "--steps 2 --batch 2 --patch 16 --interval 2 --tile 32x32",
    r"mobile-sr recipes\b": "--runs 2 --tile 32x32",
    r"mobile-sr benchmark ": "--runs 2",
    r"python scripts/(compare_networks|measure_upscale)\.py": "1",
    r"python scripts/mixed_precision\.py": "--drop 0.3",
}
"""Added to a command, so that it is over soon: of a flag that stands there already the last value counts."""

SLOW = r"mobile-sr (convert|evaluate lkdn|qat|recipes|train|compare-optimizers|report|page)\b|\.pth|@|--gpu"
SLOW += r"|compare_networks|measure_step|measure_released|mixed_precision"
"""Conversions and training, a quarter of a minute to some minutes each: `pytest tests/processes/test_readme.py -m slow`."""

PROGRAM = re.compile(r"(\.venv/bin/)?(mobile-sr|pytest|pip|python\d*)\s|scripts/\w+\.sh")


def commands_of(block):
    """The commands of a piece of shell, as words: comments and the optional parts' brackets gone, one for each side of && and ;."""
    found = [[]]
    for line in block.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&;|<>")
        lexer.whitespace_split = True
        for word in lexer:
            if word in ("&&", ";"):
                found.append([])
            else:
                found[-1].append(word.strip("[]").removeprefix(".venv/bin/"))
        found.append([])
    return [words for words in found if words]


def examples(document):
    """Blocks and sentences that belong together, each a list of commands."""
    blocks = re.findall(r"^```bash\n(.*?)^```", document, re.S | re.M)
    prose = re.sub(r"^```.*?^```", "", document, flags=re.S | re.M)
    spans = [" ".join(span.split()).removeprefix("/usr/bin/time -v ") for span in re.findall(r"`([^`]+)`", prose)]
    # `...` stands for what the reader knows.
    spans = [span for span in spans if PROGRAM.match(f"{span} ") and "..." not in span]
    return [found for text in [*blocks, *dict.fromkeys(spans)] if (found := commands_of(text))]


def is_listed(words):
    return any(re.match(pattern, shlex.join(words)) for pattern in NOT_RUN)


def is_run(words):
    if is_listed(words) or not re.match(r"mobile-sr |python scripts/\w+\.py ", shlex.join(words)):
        return False
    try:
        return is_whole(words)
    except TyperException:
        return True  # running it says what is wrong


def is_whole(words):
    """Parses a command as the command line does, without running it: False for one that only names it, `mobile-sr verify --gpu`.

    Raises:
        TyperException: an unknown command or flag, or a value that is none.
    """
    if words[0] != "mobile-sr" or words[1:] in (["--help"], ["--version"]):
        return True
    if words == ["mobile-sr"]:
        return False
    group = typer.main.get_command(app)
    arguments = ["1" if re.fullmatch("[A-Z]+", word) else word for word in words[1:]]  # --steps STEPS
    try:
        with group.make_context("mobile-sr", arguments) as context:
            name, command, rest = group.resolve_command(context, arguments)
            command.make_context(name, rest, parent=context)
    except TyperException as error:
        if not error.format_message().startswith("Missing"):
            raise
        return False
    except TrainingError:  # its options stand in a file that an earlier command of the block makes
        return "--config" in words
    return True


@pytest.fixture
def scratch(tmp_path, shared):
    """A folder with everything that the README speaks of."""
    rng = np.random.default_rng(0)

    def photo(path, width=208, height=200):
        path.parent.mkdir(parents=True, exist_ok=True)
        smooth = np.kron(rng.integers(0, 256, (height // 8, width // 8, 3)), np.ones((8, 8, 1)))
        pixels = np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, "JPEG" if path.suffix == ".jpg" else "PNG")

    folders = {"PHOTOS": "abc", "VALIDATION": "v", "DF2K": "d", "Set5/HR": "st", "BENCHMARKS/Set5/HR": "s", "BENCHMARKS/Set14/HR": "u"}
    for name in ("PHOTO.jpg", "PHOTO", "P", *(f"{folder}/{name}.png" for folder, names in folders.items() for name in names)):
        photo(tmp_path / name)
    (tmp_path / "CHECKPOINTS").symlink_to(shared / "reference")
    for name in ("LKDN_x4.pth", "LKDN-S_x4.pth"):
        shutil.copy(shared / "reference" / name, tmp_path)
    shutil.copy(shared / "reference/LKDN-S_x4_64x64.onnx", tmp_path / "model.onnx")
    for name in ("FILE.tflite", "M.tflite", "MODEL.tflite"):
        shutil.copy(ROOT / "keras_models/weights/lkdn-s-x4.tflite", tmp_path / name)
    return tmp_path


def run(words, folder):
    """Runs a command in the scratch folder, with a cache of its own that has what the user's has of other people's software."""
    for pattern, more in CHANGES.items():
        if re.match(pattern, " ".join(words)):
            words = [*words, *more.split()]
    words = ["lkdn-s" if word in ("MODEL", "CHECKPOINT") else word for word in words]
    program = [sys.executable, "-m", "conversion.commands.main"] if words[0] == "mobile-sr" else [sys.executable, str(ROOT / words[1])]
    cache = folder / "cache/mobile-sr"
    cache.mkdir(parents=True, exist_ok=True)
    for there in (package_folder(), litert_js.package_folder()):
        if not (cache / there.name).exists():
            (cache / there.name).symlink_to(there)
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache.parent)}
    if any("@" in word for word in words):  # published weights, which are not downloaded here
        environment["MOBILE_SR_WEIGHTS"] = str(folder / "CHECKPOINTS")
    arguments = words[1:] if words[0] == "mobile-sr" else words[2:]
    done = subprocess.run([*program, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    for flag in ("-o", "--out"):
        assert flag not in words or (folder / words[words.index(flag) + 1]).exists(), f"{shlex.join(words)}: left nothing there"


def marked(example):
    text = "; ".join(map(shlex.join, example))
    return pytest.param(example, id=text[:100], marks=[pytest.mark.slow] if re.search(SLOW, text) else [])


@pytest.mark.parametrize("example", [marked(example) for example in examples(README) if any(map(is_run, example))])
def test_the_readme_is_true(example, scratch, request):
    for words in filter(is_run, example):
        if "--gpu" in words:
            request.getfixturevalue("software_vulkan")
        run(words, scratch)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_flags_and_files_of_all_documents_exist(document):
    for words in (words for example in examples(DOCUMENTS[document]) for words in example):
        is_whole(words)
        if words[0] == "python" and words[1].startswith("scripts/"):
            assert (ROOT / words[1]).is_file(), words
    prose = re.sub(r"^```.*?^```", "", DOCUMENTS[document], flags=re.S | re.M)
    links = re.findall(r"\]\(([^)#:]+)\)", prose)
    assert not [link for link in links if not (ROOT / document).parent.joinpath(link).exists()]


def neither_run_nor_listed(document):
    commands = [words for example in examples(document) for words in example]
    return [shlex.join(words) for words in commands if not is_run(words) and not is_listed(words) and is_whole(words)]


def test_every_command_is_run_or_listed():
    assert not neither_run_nor_listed(README)


def test_controls():
    assert is_whole(["mobile-sr", "convert", "MODEL", "-o", "M.tflite", "--recipe", "int8"])
    assert not is_whole(["mobile-sr", "convert", "--whole-image"])
    for wrong in ("convert MODEL -o M.tflite --recipy int8", "convrt MODEL -o M.tflite", "train lkdn-s --data D --out R --steps many"):
        with pytest.raises(TyperException):
            is_whole(["mobile-sr", *wrong.split()])
    assert neither_run_nor_listed("```bash\nmake install && mobile-sr models\n```") == ["make install"]
    text = "`mobile-sr upscale\nA.jpg [--tile 9]`, `mobile-sr verify`\n```bash\npip wheel . && mobile-sr models  # all\n```\n"
    inline = [[["mobile-sr", "upscale", "A.jpg", "--tile", "9"]], [["mobile-sr", "verify"]]]
    assert examples(text) == [[["pip", "wheel", "."], ["mobile-sr", "models"]], *inline]
