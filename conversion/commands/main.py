"""The command line `mobile-sr`: which commands there are, and how errors reach the user.

Exit status 0; 2 and one line on stderr for anything the user can mend; 130 after Ctrl-C, 143 after SIGTERM; a traceback is a bug.
"""

import errno
import platform
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, Exit, TyperException

from conversion.commands import COMMANDS
from conversion.commands.fetch import announced
from conversion.commands.flags import with_flags
from conversion.commands.gone_readers import NOT_READ, kept_going
from conversion.commands.signals import Stopped, ignore_signals, stop_on_signals, stop_status
from conversion.commands.streams import open_missing_streams
from keras_models.checkpoints.fetching import watch_fetches
from keras_models.system.errors import LeftOut
from keras_models.system.quiet import speak_again

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
    _say_what_is_left_out()
    with kept_going() as pipes:
        status = _status()
        ignore_signals()
    sys.exit(status or (NOT_READ if any(pipe.reader_gone for pipe in pipes) else 0))


def _status() -> int:
    """Runs the command that the command line names; its exit status."""
    try:
        return typer.main.get_command(app)(prog_name="mobile-sr", standalone_mode=False) or 0
    except (Stopped, KeyboardInterrupt, Abort) as stop:
        if isinstance(stop.__cause__, EOFError):  # typer takes the end of any file for Ctrl-D
            raise stop.__cause__ from None
        return _say_stopped()
    except Exit as stop:
        return stop.exit_code
    except TyperException as error:
        return _complain(error.format_message() if hasattr(error, "format_message") else str(error))
    except Exception as error:
        from keras_models.system.errors import MobileSRError

        if stop_status():  # a library has made an error of its own of it
            return _say_stopped()
        if isinstance(error, MobileSRError):
            return _complain(with_flags(str(error)))
        if isinstance(error, MemoryError):
            return _complain("not enough memory: close other programs, or give a smaller model or photo")
        if isinstance(error, OSError) and error.errno in _DISK:
            return _complain(f"{error.filename or 'a file'}: {error.strerror}: make room, or go where you may write")
        raise


def _say_what_is_left_out() -> None:
    """From now on a warning of this project is one line; a library's is shown as ever."""
    python_shows = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, LeftOut):
            _complain(with_flags(str(message)))
        else:
            python_shows(message, category, *where, **more)

    warnings.showwarning = show
    warnings.simplefilter("default", LeftOut)


def _say_stopped() -> int:
    ignore_signals()
    speak_again()
    _complain("stopped: nothing unfinished is left behind")
    return stop_status() or 130


def _complain(message: str) -> int:
    print("mobile-sr: " + " ".join(message.split()), file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    main()
