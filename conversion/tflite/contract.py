"""What every .tflite of this project is held to, checked on the file before it gets its name."""

from pathlib import Path

from conversion.recipes import Contract
from conversion.tflite.file import TFLiteFile
from conversion.tflite.partitions import cpu_partitions
from keras_models.system.errors import ConversionError

FORBIDDEN = ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "SHAPE")
"""Operations that show a dimension was not static; the GPU refuses them."""


def forbidden_operations(file: TFLiteFile) -> list[str]:
    """The names of a file's operations that no .tflite of the contract may hold, sorted, each once."""
    names = {operation.name for operation in file.operations}
    return sorted(n for n in names if n in FORBIDDEN or n.startswith(("CUSTOM", "UNKNOWN")))


def check_contract(file: TFLiteFile, contract: Contract, name: str | Path | None = None) -> None:
    """Refuses custom or dynamic-shape operations, rank above 4, and what the recipe's contract forbids.

    Args:
        file: what was written.
        contract: of its recipe.
        name: what an error calls it, its path if None.

    Raises:
        ConversionError: it names the surprise.
    """
    name = name or file.path
    bad = forbidden_operations(file)
    rank = max((len(t.shape) for t in file.tensors), default=0)
    floats = [] if contract.floats else [tensor.name for tensor in file.tensors if tensor.dtype.startswith("float")]
    if bad:
        raise ConversionError(f"{name}: the converted graph holds {', '.join(bad)}: it would leave the GPU; give a static tile")
    if rank > 4 and contract.low_rank:
        raise ConversionError(f"{name}: the converted graph holds a tensor of rank {rank}: phone GPUs take 4 at most")
    if floats:
        raise ConversionError(f"{name}: {len(floats)} tensors stayed in float, the first {floats[0]}: its operation has no integer kernel")
    if contract.one_partition and (partitions := cpu_partitions(file.path)) != 1:
        raise ConversionError(
            f"{name}: XNNPACK would run the graph in {partitions} pieces instead of one: one of the network's operations has no "
            "XNNPACK kernel"
        )
