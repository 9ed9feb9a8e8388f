"""`mobile-sr verify`: measured agreement and safety of a .tflite."""

from pathlib import Path
from typing import Annotated

import typer

from conversion.commands.options import InputsOption, OrderOption, RangeOption, SeedOption, ShapeOption
from conversion.npu.socs import DEFAULT_SOC, socs_named

SOC_HELP = f"With --npu: for which SoCs, by default {DEFAULT_SOC}; `mobile-sr compile --soc list` lists them."


def verify(
    file: Annotated[Path, typer.Argument(help="A .tflite.")],
    against: Annotated[str | None, typer.Option(help="Model to compare with: a name (see `models`) or file.")] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Run it on the GPU too, or on software ones (scripts/gpu_packages.sh).")] = False,
    bisect: Annotated[bool, typer.Option("--bisect", help="Name the operation that breaks in half precision (--gpu).")] = False,
    npu: Annotated[bool, typer.Option("--npu", help="Run it as on Snapdragons' NPUs too, emulated (extra `npu`, docs/npu.md).")] = False,
    soc: Annotated[str | None, typer.Option(help=SOC_HELP)] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of photos for the tiles of --gpu and --npu.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; all cores by default.")] = None,
    values: RangeOption = None,
    order: OrderOption = None,
    inputs: InputsOption = None,
    seed: SeedOption = None,
    shape: ShapeOption = None,
    json_output: Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - for stdout alone.")] = None,
) -> None:
    """Run a .tflite on built-in images: difference to its source, CPU partitions, half precision's range, GPU engine, NPUs."""
    from conversion.commands.options import capped_threads, parse_shapes, refuse
    from conversion.commands.results import give
    from conversion.measuring.feeds import feeds_of
    from conversion.measuring.verify import Verification, verify_tflite
    from conversion.npu.card import is_compiled
    from conversion.npu.verdict import NpuVerdict
    from conversion.npu.verify import verify_file
    from keras_models.system.errors import ModelError

    if bisect:
        _bisect(file, gpu, {"--against": against, "--npu": npu, "--soc": soc, "--threads": threads, "--range": values, "--order": order},
                feeds_of(file, inputs or (), seed or 0, parse_shapes(shape), data), json_output)  # fmt: skip
        return
    if data is not None and not gpu and not npu:
        raise ModelError("--data: only --gpu and --npu take their tiles from photos: add one of them or leave --data out")
    if soc is not None and not npu:
        raise ModelError("--soc: it says for which NPUs: add --npu or leave --soc out")
    socs = socs_named(soc or DEFAULT_SOC) if npu else ()
    if npu and (file.suffix.lower() == ".onnx" or is_compiled(file)):
        refuse("an .onnx or a compiled file is compared with the CPU alone", {"--gpu": gpu, "--range": values, "--order": order})
        result: Verification | NpuVerdict = verify_file(file, against, socs if soc else (), data)
    else:
        result = verify_tflite(file, against, capped_threads(threads), gpu, data, values, order, socs)
    give(result, json_output)
    if result.problems:
        raise ModelError(f"{file}: {'; '.join(result.problems)}: convert it again")


def _bisect(file: Path, gpu: bool, others: dict[str, object], feeds: "tuple[bytes, dict]", json_output: str | None) -> None:
    from conversion.commands.options import refuse
    from conversion.commands.results import give
    from conversion.gpu.bisect import bisect_on_gpu
    from keras_models.system.errors import ModelError

    if not gpu:
        raise ModelError("--bisect: it looks for what breaks on a GPU: add --gpu")
    refuse("--bisect compares a file's operations with its own in single precision", others)
    result = bisect_on_gpu(file, feeds[1], feeds[0])
    give(result, json_output)
    if result.problems:
        raise ModelError(f"{file}: {'; '.join(result.problems)}")
