"""`mobile-sr models`: what there is by name."""

from typing import Annotated

import typer


def models(json_output: Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - for stdout alone.")] = None) -> None:
    """List the presets: parameters, multi-adds, and the shipped weights with their measured quality."""
    from conversion.commands.model_list import list_models
    from conversion.commands.results import give

    give(list_models(), json_output)
