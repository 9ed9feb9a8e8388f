"""The command line in a process of its own, and what its errors look like."""

import subprocess
import sys

MOBILE_SR = [sys.executable, "-m", "conversion.commands.main"]


def run(*arguments, **options):
    """The ended process of `mobile-sr ARGUMENTS`, with its output as text; options are those of `subprocess.run`."""
    return subprocess.run([*MOBILE_SR, *map(str, arguments)], capture_output=True, text=True, timeout=1500, check=False, **options)


def one_line_error(process):
    """Asserts status 2 and a single line on stderr; returns it."""
    assert process.returncode == 2, process.stderr
    lines = process.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("mobile-sr: "), process.stderr
    return lines[0]
