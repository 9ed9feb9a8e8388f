"""From models and photos to the page: checks everything first, measures, renders, writes one file."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from conversion.calibration_images import photo_paths
from conversion.measuring.evaluate import photos_in
from conversion.measuring.report.credits import read_credits
from conversion.measuring.report.model_facts import gather_facts, recipes_of
from conversion.measuring.report.page import render
from conversion.measuring.report.quality import compare
from conversion.measuring.report.subjects import open_subjects
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ImageError, OutputError


@dataclass(frozen=True)
class WrittenReport:
    """What was written: the file, its bytes, photos measured and shown, files measured, and what is missing and why."""

    file: str
    size: int
    photos: int
    shown: int
    files: int
    notes: tuple[str, ...]

    def as_text(self) -> str:
        """A few lines."""
        head = f"{self.file}: {self.size / 1e6:.1f} MB, {self.photos} photos ({self.shown} shown), {self.files} files"
        return "\n".join([head, *self.notes])


def write_report(
    models: Sequence[str],
    data: str | Path,
    target: str | Path,
    calibration: str | Path | None = None,
    command: str = "",
    tile: tuple[int, int] = (180, 320),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> WrittenReport:
    """Measures models and writes a page about them.

    Args:
        models: presets, .keras files, checkpoints or .tflite files of one scale.
        data: folder of photos, as `evaluate_model` takes it.
        target: the .html to write.
        calibration: folder of photos that integer recipes are fitted to; None leaves those recipes out.
        command: what to show as the command that made the page.
        tile: (H, W) that is timed, low-resolution pixels.
        progress: told (done, total).

    Raises:
        MobileSRError: a model, folder or photo that cannot be used, or a page that cannot be written; nothing is written then.
    """
    target = Path(target)
    if target.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{target}: the page must end in .html: give -o page.html")
    photos = photos_in(data)
    credits = read_credits(data)
    if calibration is not None and not photo_paths(calibration):
        raise ImageError(f"{calibration}: no photos in it: give a folder of photos to calibrate on")
    with atomic_output(target) as temporary, tempfile.TemporaryDirectory() as scratch:
        subjects = open_subjects(models)
        recipes = [len(recipes_of(subject, calibration)) for subject in subjects]
        total = sum(1 + 1 + 2 * count + (count == 0) for count in recipes)
        steps = iter(range(1, total + 1))

        def step() -> None:
            progress(next(steps), total)

        comparison = compare(subjects, data, step)
        facts = [gather_facts(subject, data, calibration, Path(scratch) / str(index), tile, step) for index, subject in enumerate(subjects)]
        text = render(facts, comparison, credits, command, str(data), None if calibration is None else str(calibration))
        temporary.write_text(text, encoding="utf-8", errors="replace")  # a file name may hold bytes that are no text
        size = temporary.stat().st_size
    notes = tuple(f"{model.subject.label}: {note}" for model in facts for note in model.notes)
    files = sum(len(model.rows) for model in facts)
    return WrittenReport(str(target), size, len(photos), len(comparison.pictures), files, notes)
