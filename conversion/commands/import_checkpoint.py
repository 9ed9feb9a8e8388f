"""`mobile-sr import`: foreign weights in, PyTorch names out."""

from pathlib import Path
from typing import Annotated

import typer


def import_checkpoint(
    checkpoint: Annotated[str, typer.Argument(help=".pth, .safetensors, .npz or .keras (or a preset name).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="OUT.keras, or OUT.safetensors with PyTorch names.")],
    variant: Annotated[
        str | None, typer.Option(help="BSConvU or BSConvU_idt, where a checkpoint's names fit both (default BSConvU).")
    ] = None,
) -> None:
    """Read a checkpoint without running anything in it, and write it as .keras or .safetensors."""
    from keras_models.system.quiet import import_keras

    import_keras()
    from keras_models.checkpoints.loading import load_model
    from keras_models.checkpoints.saving import save_network

    network = load_model(checkpoint, variant)
    save_network(network, output)
    config = ", ".join(f"{key} {value}" for key, value in network.get_config().items() if key != "name")
    typer.echo(f"{output}: {type(network).__name__}, {config}; {network.count_params():,} parameters")
