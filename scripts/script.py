"""A script's function as a command line: arguments from its signature, `--help`, and one line for what the user can mend."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import typer
from typer.exceptions import Exit, TyperException

from keras_models.system.errors import MobileSRError


def run(main: Callable[..., None], about: str | None) -> None:
    """Calls `main` with the command line's arguments and exits the process: 0, or 2 and one line on stderr.

    Args:
        main: annotated as typer wants it.
        about: the text of `--help`, the script's own docstring; its commands are not wrapped.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(help=re.sub(r"\n\n(?=    \S)", "\n\n\b\n", about or ""))(main)
    try:
        sys.exit(typer.main.get_command(app)(standalone_mode=False))
    except Exit as stop:
        sys.exit(stop.exit_code)
    except TyperException as error:
        problem = error.format_message() if hasattr(error, "format_message") else str(error)
    except MobileSRError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{error.filename or 'a file'}: {error.strerror}: check the path"
    print(f"{Path(sys.argv[0]).name}: {' '.join(problem.split())}", file=sys.stderr)  # noqa: T201
    sys.exit(2)
