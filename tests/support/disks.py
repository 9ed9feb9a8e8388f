"""Disks that are full or may not be written."""

import contextlib
import os
import shutil
import subprocess

import pytest


@contextlib.contextmanager
def mounted(folder, options):
    """Mounts a tmpfs at a folder to be made, or skips the test where that is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        assert not os.environ.get("MOBILE_SR_REQUIRE_SHARED"), "CI must be allowed to mount a tmpfs"
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
