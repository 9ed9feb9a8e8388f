"""`mobile-sr models`: what there is by name."""

from typing import Annotated

import typer


def models(json_output: Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - for stdout alone.")] = None) -> None:
    """List the weights that there are by name, shipped, fetched and to fetch, what each is for, and the networks to train."""
    from conversion.commands.model_list import list_models
    from conversion.commands.results import give

    give(list_models(), json_output)
