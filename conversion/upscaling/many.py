"""Upscaling many photos, each by itself: one that fails is named, and the rest goes on."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conversion.engines.base import Engine
from conversion.upscaling.images import ImageReader
from conversion.upscaling.pipeline import Progress, UpscaleOptions, upscale_file
from conversion.upscaling.planning import plan_file
from keras_models.system.atomic_files import make_folder
from keras_models.system.errors import ImageError, MobileSRError, one_line


@dataclass(frozen=True)
class ManyResult:
    """What became of the photos.

    Attributes:
        done: outputs written.
        skipped: outputs that were there already.
        failed: (input, reason) of every photo that could not be upscaled.
        notes: a line for each thing of a photo that its result does not have.
    """

    done: tuple[Path, ...]
    skipped: tuple[Path, ...]
    failed: tuple[tuple[Path, str], ...]
    notes: tuple[str, ...] = ()


def upscale_many(
    pairs: Sequence[tuple[Path, Path]],
    engine: Engine,
    options: UpscaleOptions,
    progress: Progress | None = None,
    resume: bool = True,
) -> ManyResult:
    """Upscale photos one after another.

    Args:
        pairs: (photo, output); folders of outputs are made.
        engine: the network.
        options: how.
        progress: called with (tiles done, tiles in all) over all photos.
        resume: skip outputs that exist, unless `options.overwrite`; else they are failures.

    Returns:
        What was done, skipped and what failed.
    """
    done: list[Path] = []
    skipped: list[Path] = []
    failed: list[tuple[Path, str]] = []
    notes: list[str] = []
    to_do = [pair for pair in pairs if not (resume and _is_there(pair[1], options))]
    counts = [_count_tiles(photo, engine, options) for photo, _ in to_do]
    total, before = sum(counts), 0
    tiles = dict(zip(to_do, counts))
    for photo, output in pairs:
        if resume and _is_there(output, options):  # asked again: another process may have made it meanwhile
            skipped.append(output)
        else:
            try:
                make_folder(output.parent)
                notes += upscale_file(photo, output, engine, options, _shifted(progress, before, total))
                done.append(output)
            except MobileSRError as error:
                failed.append((photo, str(error)))
            except (
                Exception
            ) as error:  # one photo's failure is that photo's, whatever a decoder has come upon
                failed.append(
                    (
                        photo,
                        f"{photo}: cannot be upscaled ({type(error).__name__}: {one_line(error)}): "
                        "leave it out",
                    )
                )
        before += tiles.get((photo, output), 0)
        if progress:
            progress(before, total)
    return ManyResult(tuple(done), tuple(skipped), tuple(failed), tuple(notes))


def _is_there(output: Path, options: UpscaleOptions) -> bool:
    return os.path.isfile(output) and not options.overwrite


def _count_tiles(photo: Path, engine: Engine, options: UpscaleOptions) -> int:
    """Count a photo's tiles; none for a photo that cannot be read, which is said when its turn comes."""
    try:
        return engine.passes * len(
            plan_file(ImageReader(photo, options.max_megapixels).kind, engine, options.tile, options.halo)
        )
    except ImageError:
        return 0
    except MobileSRError:
        raise
    except Exception:
        return 0


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    return None if progress is None else (lambda done, _: progress(before + done, total))
