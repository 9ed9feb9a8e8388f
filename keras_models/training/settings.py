"""How to train: the settings of a run, and named recipes, as plain data."""

from dataclasses import dataclass, replace

from keras_models.registry import preset_named
from keras_models.system.errors import TrainingError


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run's result, apart from the photos.

    Attributes:
        preset: name of the network.
        steps: optimizer steps in all.
        batch: patches a step, over all devices.
        patch: side of a patch, low-resolution pixels.
        optimizer: "adam" or "adan".
        lr: peak learning rate.
        betas: of Adam (2) or Adan (3, kept shares).
        loss: "l1" or "mse".
        schedule: "constant", "cosine" or "wsd" (stable, then a decay over the last `decay` steps).
        warmup: steps of linear warm-up.
        decay: steps of the final decay, only for "wsd".
        ema: momentum of the weights' moving average, which is what is saved and validated; below 2,000 steps take 0.99.
        form: "training" (re-parameterizable layers stay apart) or "deploy" (folded before the first step).
        head_start: start as bicubic upscaling, if the network has a long skip to carry it.
        start: model to take the first weights from ("" for fresh ones).
        teacher: model whose outputs are an extra target ("" for none).
        teacher_share: share of the teacher in the loss, 0 to 1.
        early: steps over which shrunk results of the teacher, each paired with itself, give way to the photos; 0 for none.
        fourier: weight of the mean difference of the spectra of output and photo, added to the loss; 0 for none, 0.05 is usual.
        degradation: "bicubic"; "real" or "photo": much or little blur, noise and JPEG on the low-resolution side.
        precision: "float32", "mixed_float16" or "mixed_bfloat16".
        seed: of the first weights and of all patches.
        interval: steps between checkpoints, log rows and validations.

    Example:
        >>> from keras_models import Settings
        >>> Settings("lkdn-s-x4", steps=2, warmup=0).optimizer
        'adam'
    """

    preset: str
    steps: int = 10_000
    batch: int = 16
    patch: int = 32
    optimizer: str = "adam"
    lr: float = 2e-3
    betas: tuple[float, ...] = (0.9, 0.99)
    loss: str = "l1"
    schedule: str = "cosine"
    warmup: int = 100
    decay: int = 0
    ema: float = 0.999
    form: str = "training"
    head_start: bool = True
    start: str = ""
    teacher: str = ""
    teacher_share: float = 0.5
    early: int = 0
    fourier: float = 0.0
    degradation: str = "bicubic"
    precision: str = "float32"
    seed: int = 0
    interval: int = 250

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise TrainingError(f"{name} {getattr(self, name)!r}: give one of {', '.join(allowed)}")
        for name in ("steps", "batch", "patch", "interval"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} {getattr(self, name)}: give a number of at least 1")
        if self.early < 0 or (self.early and not self.teacher):
            raise TrainingError(f"early {self.early}: give a number of steps, and `teacher` MODEL, of whose results these pairs are made")
        if not 0 <= self.fourier < 10:
            raise TrainingError(f"fourier {self.fourier}: give a weight of 0 or more, 0.05 is usual")
        if not 0 < self.lr < 10 or not 0 <= self.ema < 1 or not 0 <= self.teacher_share <= 1 or self.seed < 0:
            raise TrainingError(
                f"lr {self.lr}, ema {self.ema}, teacher share {self.teacher_share}, seed {self.seed}: "
                "give lr in (0, 10), ema in [0, 1), share in [0, 1], seed >= 0"
            )
        if min(self.warmup, self.decay) < 0 or self.warmup + self.decay > self.steps:
            raise TrainingError(f"warm-up {self.warmup} and decay {self.decay} do not fit in {self.steps} steps: give more")


CHOICES = {
    "optimizer": ("adam", "adan"),
    "loss": ("l1", "mse"),
    "schedule": ("constant", "cosine", "wsd"),
    "form": ("training", "deploy"),
    "degradation": ("bicubic", "real", "photo"),
    "precision": ("float32", "mixed_float16", "mixed_bfloat16"),
}

ADAM_BETAS = (0.9, 0.99)
ADAN_BETAS = (0.98, 0.92, 0.99)

_AUTHORS = {"schedule": "constant", "warmup": 0, "ema": 0.999, "head_start": False, "batch": 64, "interval": 5000}

RECIPES: dict[str, dict] = {
    "cpu": {"batch": 8, "lr": 1.2e-3},
    "lkdn": {**_AUTHORS, "optimizer": "adan", "betas": ADAN_BETAS, "lr": 5e-3, "patch": 48, "steps": 1_000_000},
    "lkdn-s": {**_AUTHORS, "lr": 1e-3, "patch": 64, "steps": 950_000},
    "lkdn-s-finetune": {**_AUTHORS, "lr": 2e-5, "patch": 120, "steps": 100_000, "loss": "mse"},
}
"""Named recipes: "cpu" is for an evening on a few cores (cosine, head start); the others are the LKDN authors' own.

The authors' patches are 192 (LKDN), 256 and 480 (LKDN-S) high-res pixels at x4, batch 64 in all for LKDN and 64 a GPU on
two GPUs for LKDN-S; here the batch is that of one GPU.
"""


def settings_for(preset: str, recipe: str = "cpu", **changes: object) -> Settings:
    """A recipe's settings with some of them changed; None means unchanged.

    The optimizer's usual betas come with a changed optimizer.

    Raises:
        TrainingError: no such recipe, a value outside its range, or one that nothing would use.
        ModelError: no such preset.

    Example:
        >>> from keras_models import settings_for
        >>> settings_for("lkdn-x4", "lkdn").lr
        0.005
    """
    if recipe not in RECIPES:
        raise TrainingError(f"recipe {recipe!r}: give one of {', '.join(RECIPES)}")
    given = {key: value for key, value in changes.items() if value is not None}
    values = {**RECIPES[recipe], **given}
    if (values.get("schedule") == "wsd") != bool(values.get("decay")):
        raise TrainingError("the schedule wsd, and no other, ends with a decay: give `schedule` wsd and `decay` STEPS together")
    if "teacher_share" in given and "teacher" not in given:
        raise TrainingError("a teacher's share without a teacher: give `teacher` MODEL")
    if "optimizer" in given and "betas" not in given:
        values["betas"] = ADAN_BETAS if given["optimizer"] == "adan" else ADAM_BETAS
    if values.get("warmup", Settings.warmup) > values.get("steps", Settings.steps) and "warmup" not in given:
        values["warmup"] = 0
    return replace(Settings(preset_named(preset).name), **values)
