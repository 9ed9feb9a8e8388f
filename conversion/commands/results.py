"""How a command gives its result: text on stdout, or JSON on stdout (alone) or in a file."""

import json
import os
from pathlib import Path
from typing import Protocol

import typer

from conversion.commands.flags import with_flags


class Result(Protocol):
    """A frozen dataclass with a schema version that prints both ways."""

    def as_json(self) -> dict:
        """JSON-ready."""

    def as_text(self) -> str:
        """For people."""


def give(result: Result, json_output: str | None) -> None:
    """Prints the text; with `json_output` writes the JSON there, "-" being stdout alone."""
    if json_output == "-":
        typer.echo(json.dumps(result.as_json(), indent=1))
        return
    if json_output is not None:
        from keras_models.system.atomic_files import atomic_output

        with atomic_output(Path(json_output)) as temporary:
            temporary.write_text(json.dumps(result.as_json(), indent=1) + "\n")
    typer.echo(os.fsencode(with_flags(result.as_text())))  # a file's name may hold bytes that are no text
