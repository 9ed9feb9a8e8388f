"""`mobile-sr compile`: a .tflite for the NPUs of Snapdragons, one file a SoC."""

from pathlib import Path
from typing import Annotated

import typer

from conversion.npu.socs import SOCS, SocList, socs_named


def compile(  # as the command is called
    soc: Annotated[str, typer.Option(help="For which SoCs, such as sm8650,sm8750; `list` prints those that are known.")],
    file: Annotated[Path | None, typer.Argument(help="A .tflite, or an .onnx of a fixed size.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder to write to, made if missing; else the file's own.")] = None,
    android: Annotated[
        Path | None, typer.Option(help="Also add the files to this folder's models.json for the Android app, which lists the plain one.")
    ] = None,
    json_output: Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - for stdout alone.")] = None,
) -> None:
    """Compile a .tflite or .onnx for Snapdragons' NPUs with Qualcomm's libraries (extra `npu`): all of it or nothing, one file a SoC."""
    from conversion.commands.results import give
    from keras_models.system.errors import ConversionError

    if soc.strip().lower() == "list":
        give(SocList(tuple(SOCS.values())), json_output)
        return
    socs = socs_named(soc)
    if file is None:
        raise ConversionError("nothing to compile: give a .tflite or .onnx")
    from conversion.npu.compiling import compile_file

    if android is not None and file.suffix.lower() != ".tflite":
        raise ConversionError(f"{file}: `android`: the app runs .tflite files alone")
    compilation = compile_file(file, socs, output)
    if android is not None:
        from conversion.android_export import add_compiled

        add_compiled(compilation, android)
    give(compilation, json_output)
