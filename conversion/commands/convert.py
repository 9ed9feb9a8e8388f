"""`mobile-sr convert`: a network becomes a .tflite with its card."""

from pathlib import Path
from typing import Annotated

import typer


def convert(
    model: Annotated[str, typer.Argument(help="Preset name, .keras, .pth, .safetensors or .npz.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .tflite to write; its card goes beside it as .json.")],
    recipe: Annotated[str, typer.Option(help="float32 or float16 (weights).")] = "float32",
    tile: Annotated[str, typer.Option(help="Static input size HxW, low-resolution pixels.")] = "128x128",
    calibration: Annotated[Path | None, typer.Option(help="Folder of photos to measure ranges on, besides the built-in images.")] = None,
    android: Annotated[Path | None, typer.Option(help="Also add the model to this folder's models.json for the Android app.")] = None,
    allow_overflow: Annotated[bool, typer.Option(help="Write the file even if half precision overflows inside (CPU use only).")] = False,
) -> None:
    """Convert a network to TFLite, safe in half precision, and write its card beside it."""
    height, width = parse_size(tile)
    from conversion.silence import import_keras

    import_keras()
    from conversion.convert import convert as run

    card = run(model, output, recipe, (height, width), calibration, allow_overflow)
    if android is not None:
        from conversion.android_export import add_to_android

        add_to_android(card, output, android)
    typer.echo(
        f"{output}: {card.family} x{card.scale}, {card.recipe}, tile {height}x{width}, {output.stat().st_size:,} bytes, "
        f"largest intermediate {card.half_max:g}"
    )


def parse_size(text: str) -> tuple[int, int]:
    """(H, W) from "HxW" or "N" for a square.

    Raises:
        typer.BadParameter: not such a text, or a side below 1 or above 4096.
    """
    sides = text.lower().split("x")
    if len(sides) not in (1, 2) or not all(s.isdecimal() and 1 <= int(s) <= 4096 for s in sides):
        raise typer.BadParameter(f"--tile {text}: give HxW, for example 128x128")
    return int(sides[0]), int(sides[-1])
