"""Standard output, error or input that a daemon has closed: the command does its work, and nothing lands in a wrong file."""

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
