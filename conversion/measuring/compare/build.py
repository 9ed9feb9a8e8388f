"""From a photo and models to the page: enlarges it by each, finds where they differ, writes one file."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from conversion.measuring.compare.versions import LONGEST, PLACES, Photo, enlarged, largest_result, pairs_of, read_photo
from conversion.measuring.html_page.fill import fill
from conversion.measuring.report.pictures import QUALITY, webp
from keras_models.catalogue import CATALOGUE
from keras_models.checkpoints.fetching import is_fetched
from keras_models.registry import PRESETS
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import OutputError, printable

SCALE = 4
"""Of the models that are compared where none is named."""


@dataclass(frozen=True)
class WrittenComparison:
    """What was written: the file, its bytes, the versions' labels with the seconds that each took, and notes."""

    file: str
    size: int
    seconds: dict[str, float]
    notes: tuple[str, ...]

    def as_text(self) -> str:
        """A few lines."""
        times = ", ".join(f"{label} {seconds:.2f} s" for label, seconds in self.seconds.items())
        return "\n".join([f"{self.file}: {self.size / 1e6:.1f} MB; {times}", *self.notes])


def write_comparison(
    photo: str | Path,
    models: Sequence[str] | None,
    target: str | Path,
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> WrittenComparison:
    """Enlarges a photo by several models and by bicubic, and writes a page that shows the results at full size.

    Args:
        photo: a photo; of a large one the part around its middle is taken.
        models: names and files of one scale; None for all x4 names that are on this machine.
        target: the .html to write.
        threads: CPU threads, None for all cores.
        progress: told (done, total).

    Raises:
        MobileSRError: a model or the photo that cannot be used, or a page that cannot be written; nothing is written then.
    """
    photo, target = Path(photo), Path(target)
    if target.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{target}: the page must end in .html: give -o page.html")
    whole = read_photo(photo)
    with atomic_output(target) as temporary:
        shown, scale, versions = enlarged(whole, at_hand() if models is None else models, threads, progress)
        high, wide = versions[0].pixels.shape[:2]
        note, pairs = _part(shown, len(versions)), pairs_of(versions, scale, shown.profile)
        text = fill(
            "compare/page.html.j2",
            ["html_page/page.css", "compare/compare.css"],
            ["html_page/slider.js", "compare/compare.js"],
            {},
            name=printable(photo.name),
            scale=scale,
            size=shown.size,
            width=wide,
            height=high,
            note=note,
            versions=versions,
            wholes=[(number, version.label, webp(version.pixels, False, shown.profile)) for number, version in enumerate(versions)],
            pairs=pairs,
            marks=[(pair.id, box) for pair in pairs for box, _ in pair.places],
            most_places=PLACES,
            quality=QUALITY,
            threads=threads or os.cpu_count(),
            machine=platform.machine(),
        )
        temporary.write_text(text, encoding="utf-8", errors="replace")
        size = temporary.stat().st_size
    return WrittenComparison(str(target), size, {version.label: version.seconds for version in versions}, (note,) if note else ())


def at_hand() -> list[str]:
    """Names of the x4 models whose weights are on this machine: shipped, or fetched before."""
    shipped = [preset.name for preset in PRESETS.values() if preset.scale == SCALE and preset.weights is not None]
    return shipped + [weights.name for weights in CATALOGUE.values() if weights.scale == SCALE and is_fetched(weights)]


def _part(photo: Photo, versions: int) -> str:
    """Which part of a photo that is too large is shown, "" if all of it is."""
    if photo.part is None:
        return ""
    part, (width, height) = photo.part, photo.size
    return (
        f"The photo has {width} x {height} pixels: the page shows the {part.width} x {part.height} in its middle, {part.x} from the left "
        f"and {part.y} from the top. A page holds {versions} results of {largest_result(versions) / 1e6:.3g} megapixels each at most, with "
        f"sides of {LONGEST:,}. Crop the photo to choose another part."
    )
