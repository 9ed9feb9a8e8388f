"""What each ingredient of a training recipe gives in the same time: validation PSNR-Y of short runs, over seeds.

    python scripts/compare_ingredients.py PHOTOS VALIDATION OUT --teacher lkdn-x4@authors [--start WEIGHTS] [--seconds 150] [--seeds 1,2]

First the step of every ingredient is timed, interleaved on this machine, so let nothing else run in those minutes; the times are kept
in OUT/steps.json. Each run then makes as many steps as fit into the seconds, whatever the machine does meanwhile, in deploy form, with
Adam, a rate that decays over the last quarter, and batches of 8 patches of 32x32, which are the same for all ways of one seed. What
is compared is `last.keras` at the end. Runs that are there are not made again. Prints a Markdown table.
"""

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from interleaved import interleaved
from script import run

BASE: dict[str, Any] = {"batch": 8, "patch": 32, "optimizer": "adam", "lr": 6e-4, "schedule": "wsd", "warmup": 100, "form": "deploy"}
LAST: dict[str, Any] = {"batch": 4, "patch": 64, "optimizer": "adam", "lr": 2e-5, "schedule": "constant", "warmup": 0, "loss": "mse"}
DECAY, EARLY, MSE_SHARE = 0.25, 1 / 3, 0.1
TIMED_STEPS, ROUNDS = 20, 7


@dataclass(frozen=True)
class Way:
    """A recipe: settings that differ from `BASE`, and whether the last tenth of the time is MSE on large patches."""

    changes: dict[str, Any]
    early: bool = False
    mse: bool = False


TAUGHT, TEACHER = {"teacher_share": 0.5}, "L1, teacher"
WAYS = {
    "L1": Way({}),
    "L1, Fourier 0.05": Way({"fourier": 0.05}),
    TEACHER: Way(TAUGHT),
    "L1, teacher, Fourier 0.05": Way({**TAUGHT, "fourier": 0.05}),
    "L1, teacher, last tenth MSE 4x64x64": Way(TAUGHT, mse=True),
    "L1, teacher, early pairs for a third": Way(TAUGHT, early=True),
    "L1, teacher, EMA 0.999": Way({**TAUGHT, "ema": 0.999}),
    "L1, teacher, no EMA": Way({**TAUGHT, "ema": 0.0}),
}
"""By name; EMA is 0.99 where nothing is said."""


@dataclass(frozen=True)
class Contest:
    """What all runs have in common; `data` is the photos without and with the teacher's results."""

    preset: str
    start: str
    teacher: str
    seconds: float
    data: dict[bool, Any]
    unseen: Any
    out: Path

    def settings(self, way: Way, steps: int, seed: int) -> Any:
        """Of the run, or of its first stage."""
        from keras_models.training.settings import settings_for

        given = {"ema": 0.99, **way.changes, "steps": steps, "decay": int(steps * DECAY), "interval": steps, "seed": seed}
        if "teacher_share" in way.changes:
            given["teacher"] = self.teacher
        if way.early:
            given["early"] = int(steps * EARLY)
        return settings_for(self.preset, **BASE, **given, start=self.start)

    def last_settings(self, steps: int, seed: int, start: str) -> Any:
        """Of the last tenth."""
        from keras_models.training.settings import settings_for

        return settings_for(self.preset, **LAST, form="deploy", ema=0.99, steps=steps, interval=steps, seed=seed, start=start)

    def step_times(self) -> dict[str, float]:
        """Name -> milliseconds of a step with its patches; of "MSE" those of the last tenth, of early pairs those at the start."""
        path = self.out / "steps.json"
        if path.is_file():
            return json.loads(path.read_text())
        times = interleaved({name: self._job(way) for name, way in WAYS.items() if "ema" not in way.changes}, ROUNDS)
        found = {name: float(np.median(ms)) / TIMED_STEPS for name, ms in times.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1))
        return found

    def _job(self, way: Way) -> partial:
        from keras_models.data.patches import Patches
        from keras_models.training.run import build_student

        settings = self.last_settings(1000, 0, self.start) if way.mse else self.settings(way, 1000, 0)
        photos = self.data[bool(settings.teacher)]
        student, _ = build_student(settings, photos.taught)
        early = 1 << 30 if way.early else 0
        patches = Patches(photos, settings.batch, settings.patch, settings.seed, stop=TIMED_STEPS, early=early)
        return partial(student.fit, patches, epochs=1, verbose=0, shuffle=False)

    def steps(self, name: str, ms: dict[str, float]) -> tuple[int, int]:
        """Of the run, and of the last tenth if that is another."""
        way, budget = WAYS[name], self.seconds * 1e3
        if way.early:  # their pairs cost more than the rest
            return int(budget / (EARLY / 2 * (ms[name] + ms[TEACHER]) + (1 - EARLY) * ms[TEACHER])), 0
        if way.mse:
            return int(budget * (1 - MSE_SHARE) / ms[TEACHER]), int(budget * MSE_SHARE / ms[name])
        return int(budget / ms.get(name, ms[TEACHER])), 0  # an average costs nothing that can be measured

    def trained(self, name: str, ms: dict[str, float], seed: int) -> float:
        """PSNR-Y of the run's last weights, dB."""
        from keras_models.checkpoints.loading import load_model
        from keras_models.training.run import train
        from keras_models.training.validation import validate

        folder = self.out / f"{list(WAYS).index(name)}-seed{seed}"
        first, last = self.steps(name, ms)
        stages = {folder: self.settings(WAYS[name], first, seed)}
        if last:
            stages[folder / "last"] = self.last_settings(last, seed, str(folder / "last.keras"))
        for place, settings in stages.items():
            if not (place / "last.keras").is_file():
                train(settings, self.data[bool(settings.teacher)], place)
        return validate(load_model(list(stages)[-1] / "last.keras"), self.unseen)


def main(
    photos: Annotated[Path, typer.Argument(help="Folder to train on.")],
    validation: Annotated[Path, typer.Argument(help="Folder that no run is trained on.")],
    out: Annotated[Path, typer.Argument(help="Folder of the runs.")],
    teacher: Annotated[str, typer.Option(help="Model.")],
    preset: Annotated[str, typer.Option()] = "lkdn-s-x4",
    start: Annotated[str, typer.Option(help="Weights that all runs start from; without them the bicubic head start.")] = "",
    seconds: Annotated[float, typer.Option(help="Of steps, for each run.")] = 150,
    seeds: Annotated[str, typer.Option(help="Numbers, with commas.")] = "1,2",
    ways: Annotated[int, typer.Option(help="The first so many, all without it.", min=1)] = len(WAYS),
    cache: Annotated[Path | None, typer.Option(help="Of the photos, as for train.")] = None,
) -> None:
    """Times, trains, prints."""
    from keras_models.system.quiet import import_keras

    import_keras()
    from keras_models.checkpoints.loading import load_model
    from keras_models.data.photo_set import load_photos
    from keras_models.data.taught_photos import taught_photos
    from keras_models.registry import preset_named
    from keras_models.training.cpu_parts import split_over_cores

    split_over_cores(BASE["batch"])
    scale = preset_named(preset).scale
    plain, unseen = load_photos(photos, scale, cache), load_photos(validation, scale, cache)
    data = {False: plain, True: taught_photos(plain, load_model(teacher), cache)}
    contest = Contest(preset, start, teacher, seconds, data, unseen, out)
    ms = contest.step_times()
    numbers = [int(seed) for seed in seeds.split(",")]
    results: dict[str, list[float]] = {name: [] for name in list(WAYS)[:ways]}
    for seed in numbers:  # the first seed of all ways, then the second
        for name in results:
            results[name].append(contest.trained(name, ms, seed))
            sys.stderr.write(f"{name}, seed {seed}: {results[name][-1]:.3f} dB\n")
    _print(contest, results, ms, numbers)


def _print(contest: Contest, results: dict[str, list[float]], ms: dict[str, float], seeds: list[int]) -> None:
    base = np.array(next(iter(results.values())))
    sys.stdout.write(f"| | steps | {' | '.join(f'seed {seed}' for seed in seeds)} | over L1 |\n|---|{'---|' * (len(seeds) + 2)}\n")
    for name, dbs in results.items():
        first, last = contest.steps(name, ms)
        steps = f"{first:,} and {last:,}" if last else f"{first:,}"
        cells = " | ".join(f"{db:.3f}" for db in dbs)
        sys.stdout.write(f"| {name} | {steps} | {cells} | {np.mean(np.array(dbs) - base):+.3f} |\n")


if __name__ == "__main__":
    run(main, __doc__)
