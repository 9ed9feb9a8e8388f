"""`mobile-sr convert`: a network becomes a .tflite with its card, or an .onnx."""

from pathlib import Path
from typing import Annotated

import typer


def convert(
    model: Annotated[str, typer.Argument(help="Preset name, .keras, .pth, .safetensors, .npz or .onnx.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .tflite to write (its card goes beside it as .json), or an .onnx.")],
    recipe: Annotated[str, typer.Option(help="float32, float16 or dynamic_int8 (weights), int8 or int16x8.")] = "float32",
    tile: Annotated[
        str | None, typer.Option(help="Static input size HxW, low-resolution pixels; 128x128 if the model does not fix it.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Folder of photos to measure ranges on; the int8 recipes are fitted to them and need it.")
    ] = None,
    android: Annotated[Path | None, typer.Option(help="Also add the model to this folder's models.json for the Android app.")] = None,
    whole_image: Annotated[
        bool, typer.Option("--whole-image", help="For upscale on the CPU: whole-image statistics become an input (MAFDN); else no effect.")
    ] = False,
    float_tensors: Annotated[
        int, typer.Option(min=0, help="With int8: this many tensors stay in float, those whose rounding hurts most (see `recipes`).")
    ] = 0,
    allow_overflow: Annotated[bool, typer.Option(help="Write the file even if half precision overflows inside (CPU use only).")] = False,
) -> None:
    """Convert a network to TFLite, safe in half precision or quantized, and write its card beside it; or export it to ONNX."""
    size = None if tile is None else parse_size(tile)
    from conversion.silence import import_keras

    import_keras()
    if output.suffix == ".onnx":
        _export(model, output, calibration)
        return
    if model.lower().endswith(".onnx"):
        from conversion.onnx.route import convert_onnx

        converted = convert_onnx(model, output, recipe, size, calibration, allow_overflow)
        card = converted.card
        typer.echo(converted.as_text())
    else:
        from conversion.convert import convert as run

        card = run(model, output, recipe, size, calibration, allow_overflow, whole_image=whole_image, float_tensors=float_tensors)
    if android is not None:
        from conversion.android_export import add_to_android

        add_to_android(card, output, android)
    typer.echo(
        f"{output}: {card.family} x{card.scale}, {card.recipe}, tile {card.tile[0]}x{card.tile[1]}, {output.stat().st_size:,} bytes, "
        f"largest intermediate {'not measured' if card.half_max is None else f'{card.half_max:g}'}"
    )


def _export(model: str, output: Path, calibration: Path | None) -> None:
    from conversion.onnx.export import export_onnx

    error = export_onnx(model, output, calibration)
    typer.echo(f"{output}: ONNX opset 20, free batch, height and width, {output.stat().st_size:,} bytes, largest difference {error:.2g}")


def parse_size(text: str) -> tuple[int, int]:
    """(H, W) from "HxW" or "N" for a square.

    Raises:
        typer.BadParameter: not such a text, or a side below 1 or above 4096.
    """
    sides = text.lower().split("x")
    if len(sides) not in (1, 2) or not all(s.isdecimal() and 1 <= int(s) <= 4096 for s in sides):
        raise typer.BadParameter(f"--tile {text}: give HxW, for example 128x128")
    return int(sides[0]), int(sides[-1])
