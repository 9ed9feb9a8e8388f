"""What each conversion recipe makes of a network: size, integer share, time, quality and its loss, and the worst int8 tensors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from conversion.convert_model import DEFAULT_TILE, convert_network
from conversion.engines.cpu import CpuEngine
from conversion.measuring.benchmark.host import HostBenchmark, HostJob, benchmark_on_host
from conversion.measuring.benchmark.result_table import as_table
from conversion.measuring.evaluate import evaluate_model
from conversion.recipes import RECIPES
from conversion.source import ModelLike, ModelSource
from conversion.tflite.file import read_tflite
from keras_models.system.atomic_files import atomic_output, make_folder
from keras_models.system.errors import ConversionError, ModelError

REPORT_VERSION = 1
WORST = 12


@dataclass(frozen=True)
class RecipeRow:
    """One file.

    Attributes:
        recipe: of its card; "qat" for a file that was given.
        file: its path.
        size: bytes.
        size_ratio: of the float32 file's size.
        integer_share: operations whose result is an integer tensor, of all.
        ms: fastest run by number of threads ("1", "2"), milliseconds.
        time_ratio: of the float32 file's time on one thread, measured in the same run.
        psnr_y: dB, mean over the folder.
        ssim_y: mean over the folder.
        drop: dB that PSNR-Y lies below the float32 file's.
    """

    recipe: str
    file: str
    size: int
    size_ratio: float
    integer_share: float
    ms: dict[str, float]
    time_ratio: float
    psnr_y: float
    ssim_y: float
    drop: float

    @property
    def one_thread(self) -> float:
        """Milliseconds on one thread."""
        return self.ms["1"]

    @property
    def two_threads(self) -> float:
        """Milliseconds on two threads."""
        return self.ms["2"]


_COLUMNS = {
    "recipe": ("recipe", ""),
    "size": ("bytes", ",d"),
    "size_ratio": ("x", ".3f"),
    "integer_share": ("integer ops", ".0%"),
    "one_thread": ("ms, 1 thread", ".1f"),
    "time_ratio": ("x", ".2f"),
    "two_threads": ("2 threads", ".1f"),
    "psnr_y": ("PSNR-Y", ".3f"),
    "ssim_y": ("SSIM-Y", ".4f"),
    "drop": ("drop dB", ".3f"),
}


@dataclass(frozen=True)
class RecipeReport:
    """Every recipe of one network.

    Attributes:
        model: as given.
        data: folder that quality was measured on.
        tile: "HxW" that was timed, low-resolution pixels.
        rows: one a file, float32 first.
        tensors: name -> mean squared rounding error that reaches the output, grey levels squared, of the worst int8 tensors.
        notes: which recipes the network does not bear, and why.
        version: of this schema.
    """

    model: str
    data: str
    tile: str
    rows: tuple[RecipeRow, ...]
    tensors: dict[str, float]
    notes: tuple[str, ...] = ()
    version: int = REPORT_VERSION

    def as_json(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    def as_text(self) -> str:
        """The table and the worst tensors."""
        table = as_table(f"{self.model} on {self.data}, timed at {self.tile}", self.rows, _COLUMNS)
        lines = [f"  {noise:8.4f}  {name}" for name, noise in self.tensors.items()]
        worst = ["", "int8 tensors whose rounding hurts most, grey levels squared at the output:", *lines] if lines else []
        return "\n".join([table, *self.notes, *worst])


def recipe_report(
    model: ModelLike,
    data: str | Path,
    calibration: str | Path,
    folder: Path,
    qat: Sequence[Path] = (),
    tile: tuple[int, int] = (180, 320),
    runs: int = 10,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RecipeReport:
    """Converts a network by every recipe and measures the files.

    Args:
        model: anything that `convert` takes but .onnx.
        data: folder for PSNR and SSIM, as `evaluate_model` takes it.
        calibration: photos that the integer recipes are fitted to.
        folder: where the files go.
        qat: more files of the same network, of quantization-aware training.
        tile: (H, W) that is timed, low-resolution pixels.
        runs: timed runs of each file and thread count.
        progress: told (done, total).

    Raises:
        MobileSRError: a model, photo or file that cannot be used.
    """
    make_folder(folder)
    source = ModelSource.of(model)
    scale = source.network().scale
    for path in qat:
        if CpuEngine(path, 1).scale != scale:
            raise ModelError(f"{path}: another scale than {source.label}: give a file of the same network")
    given = {"qat" if len(qat) == 1 else f"qat {path.stem}": path for path in qat}
    if len(given) < len(qat):
        raise ModelError("`qat`: two files of one name, so that their rows could not be told apart: rename one")
    recipes = tuple(RECIPES)
    total = 2 * (len(recipes) + len(qat)) + 1
    steps = iter(range(1, total + 1))

    def step() -> None:
        progress(next(steps), total)

    made = convert_recipes(model, recipes, calibration, folder, step)
    rows, _ = measure_files(made.files | given, data, tile, runs, step)
    worst = sorted(made.noise, key=made.noise.__getitem__, reverse=True)[:WORST]
    tensors = {name: made.noise[name] * 255**2 for name in worst}
    return RecipeReport(source.label, str(data), f"{tile[0]}x{tile[1]}", rows, tensors, made.notes)


@dataclass(frozen=True)
class Conversions:
    """A network converted by several recipes.

    Attributes:
        files: recipe -> file.
        notes: which recipes the network does not bear, and why.
        noise: each tensor's rounding error as it reaches the output of the int8 file, mean square (see `rounding_noise`).
    """

    files: dict[str, Path]
    notes: tuple[str, ...]
    noise: dict[str, float]


def convert_recipes(
    model: ModelLike, recipes: Sequence[str], calibration: str | Path | None, folder: Path, step: Callable[[], None]
) -> Conversions:
    """Converts a network by every recipe that it bears.

    Args:
        model: anything that `convert` takes.
        recipes: which.
        calibration: photos that the integer recipes are fitted to.
        folder: where the files go.
        step: called after each recipe.

    Raises:
        ConversionError: no recipe converts it.
        MobileSRError: a model or photo that cannot be used.
    """
    from conversion.engines.values import NOTHING_SAID
    from conversion.onnx.route import convert_onnx

    source = ModelSource.of(model)
    files: dict[str, Path] = {}
    notes: list[str] = []
    noise: dict[str, float] = {}
    for recipe in recipes:
        path = folder / f"{recipe}.tflite"
        try:
            if source.kind == "onnx":
                made = convert_onnx(source.label, path, recipe, None, calibration, said=source.said or NOTHING_SAID)
                files[recipe] = path
                notes += [f"{recipe}: {note}" for note in made.notes]
            else:
                converted = convert_network(source, recipe, DEFAULT_TILE, calibration)
                converted.save(path)
                files[recipe], noise = path, noise | converted.noise
        except ConversionError as error:
            notes.append(f"{recipe} is not possible: {str(error).replace(str(path), 'the file')}")
        step()
    if not files:
        raise ConversionError(f"{ModelSource.of(model).label}: no recipe converts it: {' '.join(notes)}")
    return Conversions(files, tuple(notes), noise)


def measure_files(
    files: Mapping[str, Path], data: str | Path, tile: tuple[int, int] | None, runs: int, step: Callable[[], None] = lambda: None
) -> tuple[tuple[RecipeRow, ...], HostBenchmark]:
    """Size, times and quality of .tflite files of one network; the first is what the others are compared with.

    Args:
        files: recipe -> file.
        data: folder for PSNR and SSIM, as `evaluate_model` takes it.
        tile: (H, W) that is timed, low-resolution pixels; None for each file's own.
        runs: timed runs of each file and thread count.
        step: called once after the times and once after each file.

    Returns:
        One row a file, and the benchmark that the times are from.

    Raises:
        MobileSRError: a file that LiteRT cannot run at this size, or a photo that cannot be used.
    """
    times = benchmark_on_host(HostJob(list(files.values()), (1, 2), [tile], runs))
    if times.problems:
        raise ModelError(times.problems[0])
    step()
    ms = {(row.file, row.threads): row.min_ms for row in times.rows if row.min_ms is not None}
    rows: list[RecipeRow] = []
    for recipe, path in files.items():
        quality = evaluate_model(path, data).mean
        first = rows[0] if rows else None
        one, two = (ms[str(path), threads] for threads in (1, 2))
        rows.append(
            RecipeRow(
                recipe=recipe,
                file=str(path),
                size=path.stat().st_size,
                size_ratio=path.stat().st_size / (first.size if first else path.stat().st_size),
                integer_share=integer_share(path),
                ms={"1": one, "2": two},
                time_ratio=one / (first.one_thread if first else one),
                psnr_y=quality.psnr_y,
                ssim_y=quality.ssim_y,
                drop=first.psnr_y - quality.psnr_y if first else 0.0,
            )
        )
        step()
    return tuple(rows), times


def integer_share(path: Path) -> float:
    """The share of a file's operations that write an integer tensor."""
    file = read_tflite(path)
    results = [file.tensors[operation.outputs[0]].dtype for operation in file.operations]
    return sum("int" in dtype for dtype in results) / len(results)


def plot(report: RecipeReport, target: Path) -> None:
    """A picture: PSNR-Y against size and against time.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, label, values in (
        (axes[0], "size, KB", [row.size / 1000 for row in report.rows]),
        (axes[1], f"CPU, 1 thread, {report.tile}, ms", [row.one_thread for row in report.rows]),
    ):
        for row, x in zip(report.rows, values):
            axis.plot(x, row.psnr_y, "o")
            axis.annotate(row.recipe, (x, row.psnr_y), textcoords="offset points", xytext=(5, 4))
        axis.set_xlabel(label)
        axis.grid(alpha=0.3)
        axis.margins(0.2)
    axes[0].set_ylabel("PSNR-Y, dB")
    figure.suptitle(f"{Path(report.model).name} on {Path(report.data).name}")
    with atomic_output(target) as temporary:
        figure.savefig(temporary, dpi=120)
