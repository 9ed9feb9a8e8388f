"""Threads are counted by trying, and none is left behind."""

import subprocess
import sys
import threading

from keras_models.system.threads import can_start_threads

LIMITED = """
import resource
from pathlib import Path
from keras_models.system.threads import can_start_threads
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20),) * 2)  # stacks of threads are address space
print(can_start_threads(2), can_start_threads(200))
"""


def test_a_system_that_gives_no_more_threads_is_seen():
    before = threading.active_count()
    assert can_start_threads(200)
    assert threading.active_count() == before
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
