"""The command line, in a process of its own or in this one, and what its errors look like."""

import signal
import subprocess
import sys

MOBILE_SR = [sys.executable, "-m", "conversion.commands.main"]


def run(*arguments, **options):
    """The ended process of `mobile-sr ARGUMENTS`, with its output as text; options are those of `subprocess.run`."""
    return subprocess.run([*MOBILE_SR, *map(str, arguments)], capture_output=True, text=True, timeout=1500, check=False, **options)


def run_here(capfd, monkeypatch, *arguments):
    """As `run`, in this process: Keras is imported already. `capfd` and `monkeypatch` are pytest's fixtures."""
    from conversion.commands.main import main

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    words = ["mobile-sr", *map(str, arguments)]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # main() puts its own there, as it does with the signals
    capfd.readouterr()
    try:
        main()
    except SystemExit as end:
        status = end.code
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    said = capfd.readouterr()
    return subprocess.CompletedProcess(words, status, said.out, said.err)


def one_line_error(process):
    """Asserts status 2 and a single line on stderr; returns it."""
    assert process.returncode == 2, process.stderr
    lines = process.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("mobile-sr: "), process.stderr
    return lines[0]
