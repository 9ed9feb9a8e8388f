"""`mobile-sr blend`: a network between two others."""

from pathlib import Path
from typing import Annotated

import typer


def blend(
    first: Annotated[str, typer.Argument(help="Name (see `models`), .keras, .pth, .safetensors or .npz.")],
    second: Annotated[str, typer.Argument(help="The same network with other weights.")],
    share: Annotated[float, typer.Option(help="Of the second, 0 to 1.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .keras (or .safetensors) to write.")],
) -> None:
    """Write the network whose every weight lies a share of the way from the first model to the second."""
    from keras_models.checkpoints.blending import blend as between
    from keras_models.checkpoints.loading import find_model, load_model
    from keras_models.checkpoints.saving import check_network_target, save_network
    from keras_models.system.errors import ModelError

    check_network_target(output)
    if not 0 <= share <= 1:
        raise ModelError(f"--share {share:g}: give 0 (all of {first}) to 1 (all of {second})")
    for model in (first, second):
        find_model(model)  # before Keras, for some seconds, is imported
    networks = [load_model(model) for model in (first, second)]
    try:
        network = between(networks[0], networks[1], share)
    except ModelError as error:
        raise ModelError(f"{first}, {second}: {error}") from None
    save_network(network, output)
    typer.echo(f"{output}: {type(network).__name__} x{network.scale}, {1 - share:g} of {first} and {share:g} of {second}")
