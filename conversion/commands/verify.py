"""`mobile-sr verify`: measured agreement and safety of a .tflite."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conversion.commands.options import InputsOption, OrderOption, RangeOption, SeedOption, ShapeOption
from conversion.npu.socs import DEFAULT_SOC, socs_named

if TYPE_CHECKING:
    from conversion.gpu.bisection import Bisection
    from conversion.measuring.feeds import Fed
    from conversion.measuring.int8_bisect import Int8Bisection

SOC_HELP = f"With --npu: for which SoCs, by default {DEFAULT_SOC}; `mobile-sr compile --soc list` lists them."


def verify(
    file: Annotated[Path, typer.Argument(help="A .tflite or .onnx.")],
    against: Annotated[str | None, typer.Option(help="Model to compare with: a name (see `models`), file or SavedModel.")] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Run it on the GPU too, or on software ones (scripts/gpu_packages.sh).")] = False,
    bisect: Annotated[bool, typer.Option("--bisect", help="Name the operation that breaks in half precision (--gpu).")] = False,
    int8_of: Annotated[Path | None, typer.Option(help="Float file that this 8-bit one was made of: name the tensor that is off.")] = None,
    npu: Annotated[bool, typer.Option("--npu", help="Run it as on Snapdragons' NPUs too, emulated (extra `npu`, docs/npu.md).")] = False,
    soc: Annotated[str | None, typer.Option(help=SOC_HELP)] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of photos for the tiles of --gpu and --npu.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; all cores by default.")] = None,
    values: RangeOption = None,
    order: OrderOption = None,
    inputs: InputsOption = None,
    seed: SeedOption = None,
    shape: ShapeOption = None,
    page: Annotated[Path | None, typer.Option(help="With --bisect or --int8-of: write an HTML page too.")] = None,
    json_output: Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - for stdout alone.")] = None,
) -> None:
    """Run a .tflite on built-in images: difference to its source, CPU partitions, half precision's range, GPU engine, NPUs."""
    from conversion.commands.options import capped_threads, parse_shapes, refuse
    from conversion.commands.results import give
    from conversion.measuring.any_file import AnyVerification, verify_any
    from conversion.measuring.feeds import Fed
    from conversion.measuring.verify import Verification, verify_tflite
    from conversion.npu.card import is_compiled
    from conversion.npu.verdict import NpuVerdict
    from conversion.npu.verify import verify_file
    from keras_models.system.errors import ModelError

    if bisect or int8_of is not None:
        others: dict[str, object] = {"--against": against, "--npu": npu, "--soc": soc, "--threads": threads}
        others |= {"--range": values, "--order": order}
        fed = Fed(inputs or (), seed or 0, parse_shapes(shape), data)
        if int8_of:
            result8 = _bisect_int8(file, int8_of, {**others, "--gpu": gpu}, fed)
            _given(file, result8, json_output, page)
        else:
            _given(file, _bisect(file, gpu, others, fed), json_output, page)
        return
    refuse("only --bisect and --int8-of have a page", {"--page": page})
    if data is not None and not gpu and not npu and not _is_any(file, npu, (inputs, shape, seed)):
        raise ModelError("--data: only --gpu and --npu take their tiles from photos: add one of them or leave --data out")
    if soc is not None and not npu:
        raise ModelError("--soc: it says for which NPUs: add --npu or leave --soc out")
    socs = socs_named(soc or DEFAULT_SOC) if npu else ()
    if npu and (file.suffix.lower() == ".onnx" or is_compiled(file)):
        refuse("an .onnx or a compiled file is compared with the CPU alone", {"--gpu": gpu, "--range": values, "--order": order})
        result: Verification | NpuVerdict | AnyVerification = verify_file(file, against, socs if soc else (), data)
    elif _is_any(file, npu, (inputs, shape, seed)):
        refuse("only super-resolution has these", {"--npu": npu, "--range": values, "--order": order, "--threads": threads})
        result = verify_any(file, against, Fed(inputs or (), seed or 0, parse_shapes(shape), data), gpu)
    else:
        result = verify_tflite(file, against, capped_threads(threads), gpu, data, values, order, socs)
    give(result, json_output)
    if result.problems:
        raise ModelError(f"{file}: {'; '.join(result.problems)}: convert it again")


def _is_any(file: Path, npu: bool, asked: tuple[object, ...]) -> bool:
    """Whether a file is verified as any network: an .onnx, no super-resolution, or inputs were asked for that are no images."""
    from conversion.measuring.any_file import is_super_resolution

    if npu:
        return False
    return file.suffix.lower() == ".onnx" or any(given is not None for given in asked) or not is_super_resolution(file)


def _bisect(file: Path, gpu: bool, others: dict[str, object], fed: "Fed") -> "Bisection":
    from conversion.commands.options import refuse
    from conversion.gpu.bisect import bisect_on_gpu
    from conversion.measuring.any_model import must_run
    from conversion.measuring.feeds import feeds_of
    from keras_models.system.errors import ModelError

    if not gpu:
        raise ModelError("--bisect: it looks for what breaks on a GPU, or in an 8-bit file: add --gpu, or --int8-of FLOAT_FILE")
    refuse("--bisect compares a file's operations with its own in single precision", others)
    data, feeds = feeds_of(file, fed)
    must_run(file, next(iter(feeds.values())))
    return bisect_on_gpu(file, feeds, data)


def _bisect_int8(file: Path, int8_of: Path, others: dict[str, object], fed: "Fed") -> "Int8Bisection":
    from conversion.commands.options import refuse
    from conversion.measuring.any_model import must_run, must_run_zeros
    from conversion.measuring.feeds import feeds_of
    from conversion.measuring.int8_bisect import bisect_int8

    refuse("--int8-of compares an 8-bit file with its float file on the CPU", others)
    data, feeds = feeds_of(int8_of, fed)
    must_run(int8_of, next(iter(feeds.values())))
    must_run_zeros(file, [value.shape for value in next(iter(feeds.values())).values()])
    if "dead leaves" in feeds:  # 8 bits are fitted to photographs: noise is beyond their ranges
        feeds.pop("uniform", None)
    return bisect_int8(file, int8_of, feeds, data)


def _given(file: Path, result: "Bisection | Int8Bisection", json_output: str | None, page: Path | None) -> None:
    from conversion.commands.results import give
    from conversion.measuring.bisect_page import write_page
    from keras_models.system.errors import ModelError

    give(result, json_output)
    if page is not None:
        write_page(result, page)
    if result.problems:
        raise ModelError(f"{file}: {'; '.join(result.problems)}")
