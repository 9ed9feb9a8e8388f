"""Times that can be compared: the jobs take turns in every round, so that whatever else the machine does meets all of them."""

from collections.abc import Callable
from time import perf_counter


def interleaved(
    jobs: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = perf_counter
) -> dict[str, list[float]]:
    """Name -> milliseconds of every round; each job is run once before.

    Args:
        jobs: name -> what is timed.
        rounds: how often.
        clock: seconds; `time.process_time` on a busy machine, for jobs of one thread.
    """
    for job in jobs.values():
        job()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = clock()
            job()
            times[name].append((clock() - start) * 1e3)
    return times
