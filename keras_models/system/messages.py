"""What passes between `keras_models.system.processes` and its children, and words for how one ended."""

import contextlib
import json
import signal
from typing import IO

from keras_models.system.errors import printable

_IDLE = ("INFO", "I0000", "WARNING", "Warning", "W0000")  # how lines begin that LiteRT and TensorFlow always say


def write_message(pipe: IO[bytes], message: dict) -> None:
    """Writes a message, whose "said" may be bytes; a reader that is gone is no error here."""
    with contextlib.suppress(OSError, ValueError):
        if isinstance(message.get("said"), bytes):
            data = message["said"]
            pipe.write(json.dumps({**message, "said": None, "bytes": len(data)}).encode() + b"\n" + data)
        else:
            pipe.write(json.dumps(message).encode() + b"\n")
        pipe.flush()


def read_message(pipe: IO[bytes]) -> dict | None:
    """The next message; None at the end.

    Raises:
        ValueError: what came is no message, or a part of one.
    """
    line = pipe.readline()
    if not line:
        return None
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("no message")
    if "bytes" in message:
        message["said"] = pipe.read(message["bytes"])
        if len(message["said"]) < message["bytes"]:
            raise ValueError("a part of a message")
    return message


def ending(status: int) -> str:
    """How a process died, in words, from the status that `subprocess` gives."""
    if status == -9:
        return "it was killed (signal 9), as the system does when memory runs out"
    if status < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"it crashed (signal {-status}, {names.get(-status, 'unknown')})"
    return f"it crashed (status {status})" if status else "it ended without an answer"


def last_words(log: str) -> str:
    """The line of a log that says most about an end: the last with an error in it, or the last, or ""."""
    clean = (" ".join(printable(line).split()) for line in log.splitlines())
    lines = [line for line in clean if line and not line.startswith(_IDLE)]
    return ([line for line in lines if "error" in line.lower()] or lines or [""])[-1][:200]
