"""A run's options in a TOML file: read by `--config`, written by the run so that the same command can be given again."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import TrainingError


def _take(context: typer.Context, path: Path | None) -> None:
    if path is not None:
        named = {option.strip("-").replace("-", "_"): each.name for each in context.command.params for option in each.opts}
        values = read_config(path, set(named) - {"config", "help"})
        context.default_map = {named[name]: value for name, value in values.items()}


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", callback=_take, is_eager=True, help="TOML file of options, such as a run's train.toml; what is given here comes first."
    ),
]
"""The option of a command whose other options may come from a file."""


def read_config(path: Path, known: set[str]) -> dict[str, str | int | float | bool]:
    """A flat table of options, by the names that they have on the command line; dashes and underscores are one.

    Raises:
        TrainingError: no such file, not TOML, an option that the command does not have, or a value that is no text or number.
    """
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise TrainingError(f"{path}: not a TOML file: {error}") from None
    content = {name.replace("-", "_"): value for name, value in content.items()}
    for name, value in content.items():
        if name not in known:
            raise TrainingError(f"{path}: {name!r} is no option here: give some of {', '.join(sorted(known))}")
        if not isinstance(value, str | int | float | bool):
            raise TrainingError(f"{path}: {name} is neither a text nor a number")
    return content


def write_config(path: Path, options: Mapping[str, object]) -> None:
    """Writes options that are not None: texts, numbers, and paths, which are made absolute.

    A text, a number and a truth value look in TOML as they do in JSON.
    """
    values = {name: str(value.absolute()) if isinstance(value, Path) else value for name, value in options.items() if value is not None}
    with atomic_output(path) as temporary:
        temporary.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()), encoding="utf-8")
