"""The command line `mobile-sr`: which commands there are, and how errors reach the user.

Exit status 0; 2 and one line on stderr for anything the user can mend; 130 after Ctrl-C; a traceback is a bug.
"""

import sys

import typer
from typer.exceptions import Abort, Exit, TyperException

from conversion.commands import COMMANDS

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


def main() -> None:
    """Runs the command line and exits the process."""
    try:
        status = typer.main.get_command(app)(prog_name="mobile-sr", standalone_mode=False)
    except (KeyboardInterrupt, Abort):
        status = 130
    except Exit as stop:
        status = stop.exit_code
    except TyperException as error:
        status = _complain(error.format_message() if hasattr(error, "format_message") else str(error))
    except Exception as error:
        from keras_models.errors import MobileSRError

        if not isinstance(error, MobileSRError):
            raise
        status = _complain(str(error))
    sys.exit(status or 0)


def _complain(message: str) -> int:
    print("mobile-sr: " + " ".join(message.split()), file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    main()
