"""What several commands do with their options: sizes, and options that another one makes useless."""

from collections.abc import Mapping
from typing import Annotated

import typer

from keras_models.system.errors import ModelError

RangeOption = Annotated[
    str | None, typer.Option("--range", help="Values that a foreign file takes: 0..1, 0..255 or -1..1; measured by default.")
]
OrderOption = Annotated[
    str | None, typer.Option("--order", help="Order of the channels that a foreign file takes: rgb or bgr; measured by default.")
]

InputsOption = Annotated[
    list[str] | None,
    typer.Option("--inputs", help="Of any file: uniform, normal, flat, zeros or extremes, or an .npy or .npz file; more than once."),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Of random inputs; 0 by default.")]
ShapeOption = Annotated[
    list[str] | None, typer.Option("--shape", help="Size of an input that is free: NAME=1,64,64,3; more than once.")
]


def parse_shapes(texts: list[str] | None) -> dict[str, tuple[int, ...]]:
    """Input's name -> shape, of "NAME=1,64,64,3".

    Raises:
        ModelError: not such a text.
    """
    shapes = {}
    for text in texts or ():
        name, _, sides = text.rpartition("=")
        numbers = sides.split(",") if sides else []
        if not name or not all(side.strip().isdecimal() for side in numbers):
            raise ModelError(f"--shape {text}: give NAME=SIDES, for example image=1,64,64,3")
        shapes[name] = tuple(map(int, numbers))
    return shapes


def parse_size(text: str, option: str = "--tile") -> tuple[int, int]:
    """(H, W) from "HxW" or "N" for a square.

    Raises:
        typer.BadParameter: not such a text, or a side below 1 or above 4096.
    """
    sides = text.lower().split("x")
    if len(sides) not in (1, 2) or not all(s.isdecimal() and 1 <= int(s) <= 4096 for s in sides):
        raise typer.BadParameter(f"{option} {text}: give HxW, for example 128x128")
    return int(sides[0]), int(sides[-1])


def refuse(why: str, given: Mapping[str, object]) -> None:
    """Refuses options that would be ignored.

    Args:
        why: they would be.
        given: option -> its value, None or False where it was not given.

    Raises:
        ModelError: one was given.
    """
    for option, value in given.items():
        if value is not None and value is not False:
            raise ModelError(f"{option}: {why}: leave it out")


def capped_threads(threads: int | None) -> int | None:
    """The number of threads that `--threads` gets, and a line on standard error where that is less than what was asked for.

    Raises:
        ModelError: below 1.
    """
    if threads is None:
        return None
    if threads < 1:
        raise ModelError(f"--threads {threads}: give 1 or more")
    from conversion.engines.threads import usable_threads

    usable = usable_threads(threads)
    if usable < threads:
        typer.echo(f"mobile-sr: --threads {threads}: this machine has {usable} cores, so {usable} are used", err=True)
    return usable
