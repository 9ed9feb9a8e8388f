"""The child of `keras_models.system.processes`: runs one function for its parent, and ends with it.

    python -m keras_models.system.child < messages

A thread reads standard input, where the parent's questions come, and where the end means that the parent is gone. What libraries
print on standard output goes to standard error, so that it cannot stand between the answers.
"""

import contextlib
import faulthandler
import importlib
import inspect
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from types import FrameType
from typing import IO, Any

from keras_models.system import errors
from keras_models.system.errors import MobileSRError, one_line
from keras_models.system.processes import PATIENCE_S, read_message, write_message

OUT_OF_MEMORY = "it ran out of memory"
PLAIN = (RuntimeError, ValueError, OSError)
"""Errors whose words stand for themselves; of others the name is said too."""


def main() -> None:
    """Answers until the function is done, and leaves at once: TensorFlow takes its time to go."""
    signal.signal(signal.SIGTERM, _unwind)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions: queue.SimpleQueue[dict] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(os.fdopen(os.dup(0), "rb"), questions), daemon=True).start()
    write_message(answers, outcome(lambda: _work(questions, answers)))
    os._exit(0)


def _work(questions: queue.SimpleQueue[dict], answers: IO[bytes]) -> dict:
    """Answers all but the last message, which it returns."""
    order = questions.get()
    _limit(order["limit_s"])
    result = function_named(order["function"])(*order["arguments"])
    if not inspect.isgenerator(result):
        return {"said": result}
    steps: Generator[Any, Any, Any] = result
    question, limit_s = None, order["limit_s"]
    with contextlib.suppress(StopIteration):
        while True:
            said = steps.send(question)
            faulthandler.cancel_dump_traceback_later()  # a parent that listens later is no hang
            write_message(answers, {"said": said})
            if order["asks"]:
                asked = questions.get()
                question, limit_s = asked["said"], asked["limit_s"]
            _limit(limit_s)
    return {"ended": True}


def outcome(work: Callable[[], dict]) -> dict:
    """What the function gives, or a message with what it raised: an error of this project ("refused", "kind"), or another ("failed")."""
    try:
        return work()
    except MobileSRError as error:
        kind = next(base for base in type(error).__mro__ if vars(errors).get(base.__name__) is base)
        return {"refused": str(error), "kind": kind.__name__}
    except MemoryError:
        return {"failed": OUT_OF_MEMORY}
    except Exception as error:
        return {"failed": one_line(error) if isinstance(error, PLAIN) else f"{type(error).__name__}: {one_line(error)}"}


def function_named(name: str) -> Callable[..., Any]:
    """What "module:function" names."""
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)


def _limit(seconds: float) -> None:
    """Should nobody be there to end this process, and Python not get to run, it ends by itself."""
    faulthandler.dump_traceback_later(seconds + 2 * PATIENCE_S, exit=True)


def _unwind(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _read(pipe: IO[bytes], questions: queue.SimpleQueue[dict]) -> None:
    with contextlib.suppress(OSError, ValueError):  # half a message is an end too
        while (message := read_message(pipe)) is not None:
            questions.put(message)
    os.kill(os.getpid(), signal.SIGTERM)  # the parent is gone: as if it had asked to end, and had waited
    time.sleep(PATIENCE_S)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()
