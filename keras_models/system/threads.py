"""The machine's cores, and whether the system still gives this process threads: native libraries abort it where it does not."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def on_all_cores(function: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """What a function makes of each item, in their order, as many at a time as there are cores."""
    with ThreadPoolExecutor(cores()) as pool:
        yield from pool.map(function, items)


def can_start_threads(count: int) -> bool:
    """Tries it: starts so many at a time and ends them.

    A limit on processes (`ulimit -u`, a container's) counts the threads of all programs together.
    """
    end, started = threading.Event(), []
    try:
        for _ in range(count):
            thread = threading.Thread(target=end.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:
        return False
    finally:
        end.set()
        for thread in started:
            thread.join()
    return True
