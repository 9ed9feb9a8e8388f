"""`mobile-sr page`: one HTML file that upscales photos in a browser."""

from pathlib import Path
from typing import Annotated

import typer


def page(
    models: Annotated[
        list[str],
        typer.Argument(help="Names (see `models`), .keras, .pth, .safetensors, .npz, .onnx, or .tflite with float input."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .html to write.")],
    packages: Annotated[
        Path | None,
        typer.Option(
            "--litert-js",
            help="Folder with LiteRT.js' two packages; by default npm downloads them once, into the cache.",
        ),
    ] = None,
) -> None:
    """Write one self-contained page that upscales photos in any browser, offline, with a choice of models."""
    from conversion.webpage.build import write_page

    typer.echo(write_page(models, output, packages).as_text())
