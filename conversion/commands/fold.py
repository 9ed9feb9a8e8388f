"""`mobile-sr fold`: training form to deploy form."""

from pathlib import Path
from typing import Annotated

import typer


def fold(
    model: Annotated[str, typer.Argument(help="Name (see `models`), .keras, .pth, .safetensors or .npz.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .keras (or .safetensors) to write.")],
) -> None:
    """Fold a training form into the smaller deploy form and print the measured error."""
    from keras_models.checkpoints.loading import load_model
    from keras_models.checkpoints.saving import check_network_target, save_network

    check_network_target(output)
    network = load_model(model)
    from keras_models.folding import fold as fold_network
    from keras_models.folding import fold_error

    deploy = fold_network(network)
    error = fold_error(network, deploy)
    save_network(deploy, output)
    typer.echo(f"{output}: {network.count_params():,} -> {deploy.count_params():,} parameters, largest difference {error:.2g} on noise")
