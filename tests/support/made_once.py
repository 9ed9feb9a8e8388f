"""What several test processes need and one makes: a folder that appears when all is in it."""

import shutil
import tempfile

from filelock import FileLock


def made_once(folder, make):
    """The folder, which `make(folder)` fills if no process has done so yet; others wait meanwhile.

    Args:
        folder: Path to make, in a folder that the processes share.
        make: writes into the folder that it is given; what it raises leaves nothing behind.
    """
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = tempfile.mkdtemp(dir=folder.parent)
            try:
                make(type(folder)(unfinished))
                shutil.move(unfinished, folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder
