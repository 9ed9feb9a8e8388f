"""A script's function as a command line: arguments from its signature, `--help`, and one line for what the user can mend."""

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from keras_models.errors import MobileSRError


def run(main: Callable[..., None], about: str | None) -> None:
    """Calls `main` with the command line's arguments and exits the process: 0, or 2 and one line on stderr.

    Args:
        main: annotated as typer wants it.
        about: the text of `--help`, the script's own docstring.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(help=about)(main)
    try:
        app()
    except MobileSRError as error:
        print(f"{Path(sys.argv[0]).name}: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
