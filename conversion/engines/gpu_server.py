"""The process that enlarges windows on LiteRT's GPU engine; `conversion.engines.gpu` starts it with a Vulkan device.

    python -m conversion.engines.gpu_server FILE.tflite SHAPE

A line of JSON on standard output says how compiling went: {"refused": null or the engine's words, "fully_accelerated": bool}.
Then the bytes of every float32 input tensor of SHAPE (JSON) on standard input are answered by those of the output tensor. Single
precision is enforced.
"""

import json
import os
import sys
from typing import Any

import numpy as np

from conversion.gpu.run import compiled


def main() -> None:
    """Serves until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not stand between the answers
    facts: dict[str, Any] = {"refused": None, "fully_accelerated": False}
    try:
        run = compiled(sys.argv[1], False, facts)
    except (RuntimeError, ValueError) as error:  # how LiteRT says no
        facts["refused"] = str(error)
    answers.write(json.dumps(facts).encode() + b"\n")
    answers.flush()
    if facts["refused"] is not None:
        return
    shape = json.loads(sys.argv[2])
    size = 4 * int(np.prod(shape))
    while len(data := sys.stdin.buffer.read(size)) == size:
        answers.write(run(np.frombuffer(data, np.float32).reshape(shape)).tobytes())
        answers.flush()


if __name__ == "__main__":
    main()
