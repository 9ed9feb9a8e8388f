"""`mobile-sr fetch`: published weights ahead of their use; and what every command says while it fetches some."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Annotated

import typer

from conversion.commands.progress import progress_bar
from keras_models.catalogue import CATALOGUE, Published
from keras_models.system.errors import MobileSRError, ModelError, printable


def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="As `mobile-sr models` lists them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are published.")] = False,
) -> None:
    """Download published weights into the cache, checked, and print where they lie; what is there already is checked again."""
    from keras_models.checkpoints import fetching

    if bool(names) == everything:
        raise ModelError("give the names of what to fetch, or --all: `mobile-sr models` lists them")
    failed = []
    for weights in CATALOGUE.values() if everything else [_named(name) for name in names or ()]:
        try:
            typer.echo(fetching.fetch(weights))
        except MobileSRError as error:
            failed.append(str(error))
    if failed:
        for line in failed[:-1]:
            typer.echo(f"mobile-sr: {line}", err=True)
        raise MobileSRError(failed[-1])


@contextlib.contextmanager
def announced(weights: Published, address: str) -> Iterator[Callable[[int, int], None]]:
    """Says on standard error what is fetched, from where and under which licence, and shows how it goes."""
    if sys.stderr is not None:  # written there itself, which an outer progress bar makes way for
        sys.stderr.write(f"mobile-sr: fetching {weights.name}, {weights.size / 1e6:.1f} MB, from {printable(address)}\n")
        sys.stderr.write(f"mobile-sr: its licence is {weights.licence}; {weights.credit}\n")
    with progress_bar(weights.name) as progress:
        yield progress


def _named(name: str) -> Published:
    from keras_models.catalogue import find_published, published_for
    from keras_models.registry import find_preset

    weights = find_published(name)
    if weights is None:
        preset = find_preset(name)
        known = [other.name for other in (published_for(preset) if preset else ())] or list(CATALOGUE)
        raise ModelError(f"{name}: no such published weights: give {' or '.join(known)}")
    return weights
