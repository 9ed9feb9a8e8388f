"""`mobile-sr benchmark`: how fast a .tflite is, on this machine or on a phone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conversion.commands.options import OrderOption, RangeOption, capped_threads, parse_size, refuse

if TYPE_CHECKING:
    from conversion.engines.values import Said
    from conversion.measuring.benchmark.host import HostBenchmark
    from conversion.measuring.benchmark.phone import PhoneBenchmark


def benchmark(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help=".tflite files; here .onnx files too.")],
    threads: Annotated[str, typer.Option(help="CPU threads to try, such as 1,2.")] = "1",
    gpu: Annotated[bool, typer.Option("--gpu", help="The GPU too, in half and in single precision, at the file's own tile.")] = False,
    runs: Annotated[int, typer.Option(help="Timed runs of each setting.")] = 20,
    tiles: Annotated[str | None, typer.Option(help="Tile sizes to try here, such as 64x64,180x320; default the file's own.")] = None,
    photo: Annotated[Path | None, typer.Option(help="A photo to upscale here from file to file: megapixels a second.")] = None,
    values: RangeOption = None,
    order: OrderOption = None,
    adb: Annotated[bool, typer.Option("--adb", help="Measure on a connected phone instead.")] = False,
    binary: Annotated[Path | None, typer.Option(help="With --adb: TFLite's benchmark_model for the phone, see docs/speed.md.")] = None,
    engines: Annotated[str | None, typer.Option(help="With --adb: cpu, xnnpack, xnnpack-fp16, gpu, gpu-fp32; default xnnpack.")] = None,
    device: Annotated[str | None, typer.Option(help="With --adb: serial number of the phone.")] = None,
    pause: Annotated[float, typer.Option(help="With --adb: seconds between two measurements, to cool down.")] = 30.0,
    profile: Annotated[bool, typer.Option("--profile", help="With --adb: time by operator.")] = False,
    adb_program: Annotated[str, typer.Option(help="With --adb: the adb program.")] = "adb",
    json_output: Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - for stdout alone.")] = None,
    csv_output: Annotated[Path | None, typer.Option("--csv", help="Write CSV to this file.")] = None,
) -> None:
    """Measure time and memory of .tflite and .onnx files here, or of .tflite files on a phone."""
    from conversion.commands.results import give
    from conversion.engines.values import Said
    from keras_models.system.atomic_files import atomic_output
    from keras_models.system.errors import ModelError

    if photo is None:
        refuse("only a photo shows it, times do not depend on it", {"--range": values, "--order": order})
    numbers = [_number("--threads", word) for word in threads.split(",")]
    result: HostBenchmark | PhoneBenchmark
    if adb:
        refuse("--adb measures on the phone", {"--tiles": tiles, "--photo": photo})
        result = _phone(files, numbers, gpu, runs, binary, engines, device, pause, profile, adb_program)
    else:
        numbers = list(dict.fromkeys(capped_threads(number) or 1 for number in numbers))
        refuse("only --adb takes it", {"--binary": binary, "--engines": engines, "--device": device, "--profile": profile})
        result = _host(files, numbers, gpu, runs, tiles, photo, Said(values, order))
    if csv_output is not None:
        with atomic_output(csv_output) as temporary:
            temporary.write_text(result.as_csv())
    give(result, json_output)
    if result.problems:
        raise ModelError("; ".join(result.problems))


def _host(
    files: list[Path], threads: list[int], gpu: bool, runs: int, tiles: str | None, photo: Path | None, said: "Said"
) -> "HostBenchmark":
    from conversion.commands.progress import progress_bar
    from conversion.measuring.benchmark.host import HostJob, benchmark_on_host

    sizes = [None] if tiles is None else [parse_size(word, "--tiles") for word in tiles.split(",")]
    with progress_bar("measuring") as advance:
        return benchmark_on_host(HostJob(files, threads, sizes, runs, photo, gpu, said), advance)


def _phone(
    files: list[Path],
    threads: list[int],
    gpu: bool,
    runs: int,
    binary: Path | None,
    engines: str | None,
    device: str | None,
    pause: float,
    profile: bool,
    adb_program: str,
) -> "PhoneBenchmark":
    from conversion.measuring.benchmark.adb import Phone
    from conversion.measuring.benchmark.phone import PhoneJob, benchmark_on_phone
    from keras_models.system.errors import ModelError

    if binary is None:
        raise ModelError("--adb: give TFLite's benchmark_model for the phone with --binary PATH; docs/speed.md says where it comes from")
    names = (engines or "xnnpack").split(",") + (["gpu", "gpu-fp32"] if gpu else [])
    job = PhoneJob(files, binary, list(dict.fromkeys(names)), threads, runs, pause, profile)
    return benchmark_on_phone(job, Phone(adb_program, device))


def _number(option: str, word: str) -> int:
    from keras_models.system.errors import ModelError

    try:
        return int(word)
    except ValueError:
        raise ModelError(f"{option} {word}: give whole numbers such as 1,2") from None
