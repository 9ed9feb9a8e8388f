"""Runs in the child of `conversion.npu.plugin`: LiteRT's program that applies a compiler plugin, whose words come back."""

import subprocess


def apply(command: list[str], environment: dict[str, str]) -> dict:
    """Runs the program; {"status": of its end, "said": what it wrote on both streams}."""
    import os

    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=False)
    return {"status": done.returncode, "said": (done.stdout + done.stderr).decode(errors="replace")}
