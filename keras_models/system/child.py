"""The child of `keras_models.system.processes`: runs one function for its parent, and ends with it.

    python -m keras_models.system.child < messages

A thread reads standard input: the parent's questions, and the end that means that it is gone. What libraries
print on standard output goes to standard error, so that it cannot stand between the answers.
"""

import atexit
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
from keras_models.system.messages import read_message, write_message
from keras_models.system.processes import NUDGE_S, PATIENCE_S

OUT_OF_MEMORY = "it ran out of memory"
PLAIN = (RuntimeError, ValueError, OSError)
"""Errors whose words stand for themselves; of others the name is said too."""

_asked: list[int] = []
_orphaned = threading.Event()


def main() -> None:
    """Answers until the function is done, and leaves at once: TensorFlow takes its time to go."""
    atexit.register(_end_group)  # the first to be registered is the last to be called
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
    with contextlib.closing(steps), contextlib.suppress(StopIteration):
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
    """What the function gives, or what it raised: an error of ours ("refused") or another ("failed")."""
    try:
        return work()
    except MobileSRError as error:
        kind = next(base for base in type(error).__mro__ if vars(errors).get(base.__name__) is base)
        return {"refused": str(error), "kind": kind.__name__}
    except MemoryError:
        return {"failed": OUT_OF_MEMORY}
    except Exception as error:
        words = one_line(error)
        return {"failed": words if isinstance(error, PLAIN) else f"{type(error).__name__}: {words}"}


def function_named(name: str) -> Callable[..., Any]:
    """What "module:function" names."""
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)


def _limit(seconds: float) -> None:
    """Should nobody be there to end this process, and Python not get to run, it ends by itself."""
    faulthandler.dump_traceback_later(seconds + 2 * PATIENCE_S, exit=True)


def _unwind(number: int, frame: FrameType | None) -> None:
    """Ends the process, once: it is asked again while it cleans up."""
    if not _asked:
        _asked.append(number)
        sys.exit(128 + number)


def _read(pipe: IO[bytes], questions: queue.SimpleQueue[dict]) -> None:
    with contextlib.suppress(OSError, ValueError):  # half a message is an end too
        while (message := read_message(pipe)) is not None:
            questions.put(message)
    _orphaned.set()
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        os.kill(os.getpid(), signal.SIGTERM)  # as the parent would do
        time.sleep(NUDGE_S)
    _end_group()
    os._exit(1)


def _end_group() -> None:
    """What a parent that is gone cannot do any more: ends this process with all that it started."""
    if _orphaned.is_set() and hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
