"""`mobile-sr convert`: a network becomes a .tflite with its card, or an .onnx."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from conversion.commands.flags import with_flags
from conversion.commands.options import OrderOption, RangeOption, parse_size, refuse
from conversion.recipes import DEFAULT_RECIPE, ONNX_RECIPES, RECIPES

_HELPS = {**{recipe.name: recipe.help for recipe in RECIPES.values()}, **ONNX_RECIPES}
RECIPE_HELP = f"Default {DEFAULT_RECIPE}. " + " ".join(f"{name}: {words}" for name, words in _HELPS.items())


def convert(
    model: Annotated[str, typer.Argument(help="Name (see `models`), .keras, .pth, .safetensors, .npz, .onnx; with --for a .tflite.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .tflite to write (its card goes beside it as .json), or an .onnx.")],
    recipe: Annotated[str | None, typer.Option(help=RECIPE_HELP)] = None,
    tile: Annotated[
        str | None, typer.Option(help="Static input size HxW, low-resolution pixels; 128x128 if the model does not fix it.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Folder of photos to measure ranges on; some recipes are fitted to them and need it.")
    ] = None,
    android: Annotated[Path | None, typer.Option(help="Also add the model to this folder's models.json for the Android app.")] = None,
    whole_image: Annotated[
        bool, typer.Option("--whole-image", help="For upscale on the CPU: whole-image statistics become an input (MAFDN); else no effect.")
    ] = False,
    float_tensors: Annotated[
        int | None, typer.Option(min=0, help="With int8: this many tensors stay in float, those whose rounding hurts most (see `recipes`).")
    ] = None,
    npu_gelu: Annotated[
        bool, typer.Option("--npu-gelu", help="With float16: GELU in parts, which Snapdragons' NPUs compute more exactly (docs/npu.md).")
    ] = False,
    allow_overflow: Annotated[bool, typer.Option(help="Write the file even if half precision overflows inside (CPU use only).")] = False,
    values: RangeOption = None,
    order: OrderOption = None,
    made_for: Annotated[
        Literal["cpu", "npu"] | None,
        typer.Option("--for", help="Of a .tflite, same numbers. cpu: int8 that XNNPACK takes whole, as upscale; npu: no DEPTH_TO_SPACE."),
    ] = None,
    half_safe: Annotated[
        bool, typer.Option("--half-safe", help="Of any float .tflite: powers of two keep it in half precision, proven on a GPU engine.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Of an .onnx: refuse what XNNPACK would run in pieces.")] = False,
) -> None:
    """Convert a network to TFLite, safe in half precision or quantized, and write its card beside it; or export it to ONNX."""
    from conversion.source import ModelSource
    from keras_models.system.quiet import import_keras

    ModelSource.of(model).check_there()
    size = None if tile is None else parse_size(tile)
    network_only: dict[str, object] = {"--whole-image": whole_image, "--float-tensors": float_tensors, "--npu-gelu": npu_gelu}
    tflite_only: dict[str, object] = {"--recipe": recipe, "--tile": tile, "--android": android, "--allow-overflow": allow_overflow}
    foreign_only: dict[str, object] = {"--range": values, "--order": order, "--strict": strict}
    if model.lower().endswith(".tflite") and made_for is not None:
        refuse("a .tflite is only written in another form", tflite_only | network_only | foreign_only | {"--calibration": calibration})
        from conversion.other_forms import write_form

        typer.echo(write_form(Path(model), output, made_for).as_text())
        return
    if half_safe:
        others = tflite_only | network_only | foreign_only | {"--calibration": calibration}
        _half_safe(model, output, others)
        return
    refuse("only a .tflite is written in another form: convert to one first", {"--for": made_for})
    if not model.lower().endswith(".onnx"):
        refuse("only an .onnx of others is converted so", foreign_only)
    if output.suffix.lower() == ".onnx" and recipe in ONNX_RECIPES:
        refuse("only a .tflite is written so", network_only | {"--android": android, "--allow-overflow": allow_overflow})
        import_keras()
        _export_quantized(model, output, calibration, size)
        return
    if output.suffix.lower() == ".onnx":
        refuse("an .onnx has float weights and takes images of any size", tflite_only | network_only)
        import_keras()
        _export(model, output, calibration)
        return
    if whole_image:
        refuse("the app has no engine for files that take whole-image statistics", {"--android": android})
    import_keras()
    recipe = recipe or DEFAULT_RECIPE
    if model.lower().endswith(".onnx"):
        from conversion.engines.values import Said
        from conversion.onnx.route import convert_onnx

        refuse("only the network itself can be converted so, not an .onnx", network_only)
        said = Said(values, order)
        converted = convert_onnx(model, output, recipe, size, calibration, allow_overflow, said=said, strict=strict)
        card = converted.card
        typer.echo(converted.as_text())
        for note in converted.notes:
            typer.echo(with_flags(f"mobile-sr: {model}: {note}"), err=True)
    else:
        from conversion.convert_model import convert as run

        _say_few(recipe, calibration)
        parts = float_tensors or 0
        card = run(model, output, recipe, size, calibration, allow_overflow, True, whole_image, parts, npu_gelu)
    if android is not None:
        from conversion.android_export import add_to_android

        add_to_android(card, output, android)
    typer.echo(
        f"{output}: {card.family} x{card.scale}, {card.recipe}, tile {card.tile[0]}x{card.tile[1]}, {output.stat().st_size:,} bytes, "
        f"largest intermediate {'not measured' if card.half_max is None else f'{card.half_max:g}'}"
    )


def _half_safe(model: str, output: Path, others: dict[str, object]) -> None:
    from conversion.half_safe import write_half_safe
    from keras_models.system.errors import ModelError

    refuse("--half-safe rescales a .tflite as it is", others)
    if not model.lower().endswith(".tflite") or output.suffix.lower() != ".tflite":
        raise ModelError("--half-safe: it rescales a .tflite: give one, and a .tflite to write")
    typer.echo(write_half_safe(model, output).as_text())


def _say_few(recipe: str, calibration: Path | None) -> None:
    """Says so where a recipe that is fitted to photos gets next to none."""
    from conversion.calibration_images import photo_paths
    from conversion.quantization.photo_crops import FEW
    from conversion.recipes import recipe_named

    if calibration is not None and recipe_named(recipe).needs_photos and 0 < (count := len(photo_paths(calibration))) < FEW:
        typer.echo(f"mobile-sr: fitted to {count} photo{'s' if count > 1 else ''}: some dozens are meant, of all kinds", err=True)


def _export(model: str, output: Path, calibration: Path | None) -> None:
    from conversion.onnx.export import export_onnx

    error = export_onnx(model, output, calibration)
    typer.echo(f"{output}: ONNX opset 20, free batch, height and width, {output.stat().st_size:,} bytes, largest difference {error:.2g}")


def _export_quantized(model: str, output: Path, calibration: Path | None, size: tuple[int, int] | None) -> None:
    from conversion.convert_model import DEFAULT_TILE
    from conversion.onnx.w8a16 import RECIPE, export_w8a16
    from keras_models.system.errors import ConversionError

    if calibration is None:
        raise ConversionError(f"recipe {RECIPE} is fitted to photos: give a folder of some dozens as `calibration`")
    tile = size or DEFAULT_TILE
    psnr = export_w8a16(model, output, calibration, tile)
    typer.echo(f"{output}: ONNX, {RECIPE}, tile {tile[0]}x{tile[1]}, {output.stat().st_size:,} bytes, {psnr:.1f} dB to the network")
