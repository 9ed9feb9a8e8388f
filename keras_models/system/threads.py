"""Whether the system still gives this process threads: native libraries abort the whole process where it does not."""

import threading


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
