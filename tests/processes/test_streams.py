"""Standard output, error or input that a daemon has closed: the command does its work, and nothing lands in a wrong file."""

import os
import signal
import subprocess

import numpy as np
import pytest
import typer
from PIL import Image
from support.command_line import MOBILE_SR

from conversion.commands import main as program


def shell(redirection, *words):
    """Status of `mobile-sr WORDS` with a shell's redirection, and what it said."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *MOBILE_SR, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-", "2</dev/null"])
def test_closed_streams(redirection, tmp_path):
    Image.fromarray(np.full((9, 12, 3), 90, np.uint8)).save(tmp_path / "a.png")
    done = shell(redirection, "upscale", tmp_path / "a.png", tmp_path / "b.png")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "b.png") as result:
        result.load()
        assert result.size == (48, 36)
    wrong = shell(redirection, "inspect", tmp_path / "none.tflite")
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr
    assert ("no such model file" in wrong.stderr) == (redirection == ">&-")
    assert not wrong.stdout


def ended_by(error, monkeypatch):
    """Runs the program with a command that raises this."""

    def command(**_):
        raise error

    app = typer.Typer()
    app.command()(lambda: command())
    made = typer.main.get_command(app)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr("sys.argv", ["mobile-sr"])
    monkeypatch.setattr(typer.main, "get_command", lambda app: made)
    try:
        program.main()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_no_memory_is_one_line(monkeypatch, capfd):
    with pytest.raises(SystemExit) as end:
        ended_by(MemoryError(), monkeypatch)
    assert end.value.code == 2 and capfd.readouterr().err.count("not enough memory") == 1


def test_the_end_of_a_file_is_no_interruption(monkeypatch):
    """Typer takes it for Ctrl-D, which would be "stopped" and status 130."""
    with pytest.raises(EOFError, match="cut off"):
        ended_by(EOFError("cut off"), monkeypatch)


def gone(*words, **pipes):
    """The ended process of `mobile-sr WORDS` whose output nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    given = {"stdout": writer, "stderr": subprocess.PIPE, **{name: writer for name in pipes}}
    try:
        return subprocess.run([*MOBILE_SR, *map(str, words)], **given, text=True, timeout=600, check=False)
    finally:
        os.close(writer)


def test_a_reader_that_has_gone_changes_neither_the_work_nor_what_is_said_of_it(tmp_path):
    """`mobile-sr upscale FOLDER | true`: a photo that failed is named, and the status is that of a failure."""
    (tmp_path / "in").mkdir()
    Image.fromarray(np.full((9, 12, 3), 90, np.uint8)).save(tmp_path / "in/a.png")
    (tmp_path / "in/b.png").write_text("no picture")
    done = gone("upscale", tmp_path / "in", "-o", tmp_path / "out")
    assert done.returncode == 2 and "b.png" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "out/a.png").is_file()
    assert gone("inspect", tmp_path / "none.tflite").returncode == 2
    for streams in ({}, {"stderr": True}):
        assert gone("models", **streams).returncode == 141, "as of any program in a pipe"
    assert subprocess.run([*MOBILE_SR, "models"], capture_output=True, check=False).returncode == 0, "control"
