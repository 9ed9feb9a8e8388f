"""The command line `mobile-sr`: which commands there are, and how errors reach the user.

Exit status 0; 2 and one line on stderr for anything the user can mend; 130 after Ctrl-C, 143 after SIGTERM; a traceback is a bug.
"""

import errno
import platform
import sys
from typing import Annotated

import typer
from typer.exceptions import Abort, Exit, TyperException

from conversion.commands import COMMANDS
from conversion.commands.fetch import announced
from conversion.commands.flags import with_flags
from conversion.commands.signals import Stopped, ignore_signals, stop_on_signals, stop_status
from conversion.commands.streams import open_missing_streams
from keras_models.checkpoints.fetching import watch_fetches

# What a disk or its owner can mend, wherever it happens; anything else that the system refuses is a bug.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE}

app = typer.Typer(
    name="mobile-sr",
    help="Small super-resolution networks for phones: upscale photos, convert, verify, evaluate, train.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name, _function in COMMANDS.items():
    app.command(_name)(_function)


def _print_version(wanted: bool) -> None:
    if wanted:
        from conversion.model_card import tool_versions

        ours, *theirs = tool_versions().items()
        typer.echo(f"{' '.join(ours)} ({', '.join(f'{name} {version}' for name, version in theirs)}; Python {platform.python_version()})")
        raise Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print versions and exit.")] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line and exits the process."""
    open_missing_streams()
    stop_on_signals()
    watch_fetches(announced)
    try:
        status = typer.main.get_command(app)(prog_name="mobile-sr", standalone_mode=False)
    except (Stopped, KeyboardInterrupt, Abort) as stop:
        if isinstance(stop.__cause__, EOFError):  # typer takes the end of any file for Ctrl-D
            raise stop.__cause__ from None
        status = _say_stopped()
    except Exit as stop:
        status = stop.exit_code
    except TyperException as error:
        status = _complain(error.format_message() if hasattr(error, "format_message") else str(error))
    except Exception as error:
        from keras_models.system.errors import MobileSRError

        if stop_status():  # a library has made an error of its own of it
            status = _say_stopped()
        elif isinstance(error, MobileSRError):
            status = _complain(with_flags(str(error)))
        elif isinstance(error, MemoryError):
            status = _complain("not enough memory: close other programs, or give a smaller model or photo")
        elif isinstance(error, OSError) and error.errno in _DISK:
            status = _complain(f"{error.filename or 'a file'}: {error.strerror}: make room, or go where you may write")
        else:
            raise
    ignore_signals()
    sys.exit(status or 0)


def _say_stopped() -> int:
    ignore_signals()
    _complain("stopped: nothing unfinished is left behind")
    return stop_status() or 130


def _complain(message: str) -> int:
    print("mobile-sr: " + " ".join(message.split()), file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    main()
