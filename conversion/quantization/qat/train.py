"""Quantization-aware training, in a process of its own.

tensorflow-model-optimization knows tf_keras only, which TensorFlow hands out only if TF_USE_LEGACY_KERAS is set before it
is imported, for the whole process. So this module is never imported by the others: `conversion.quantization.qat.run` has a child
process import it, leaves `start.npz` (graph, ranges) and `float.npz` (the same graph with float weights, the teacher) in the run's
folder, and iterates over what `train` yields there.
"""

import os
import time
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from conversion.graph.arrays import RangeTable, pack
from conversion.graph.ir import Graph
from conversion.quantization.qat.photo_sets import photo_sets
from conversion.quantization.qat.saved_graphs import saved_graph, saved_with_ranges
from conversion.quantization.qat.settings import QatSettings
from conversion.quantization.qat.tfmot_model import LearnedRanges, fake_quant_kernel, float_twin, quantized_twin, weight_variables
from keras_models.data.patches import Patches
from keras_models.data.photo_set import PhotoSet
from keras_models.metrics import psnr_y, to_uint8
from keras_models.system.errors import TrainingError
from keras_models.training.run_folder import Checkpoint, RunFiles

BORDER = 2  # low-res pixels at a patch's edge that zero padding had a part in: their target is the float output alone
BORDER_WEIGHT = 0.5  # of their errors: they are 19 % of a patch and little of a photo, but without weight a photo's corners drift away
LUMA = tf.constant([65.481, 128.553, 24.966], tf.float32) / 219  # BT.601, of a grey error 1
BETAS = (0.9, 0.999)
CENTRING = 12  # batches of patches that the mean colour is measured on
TYPICAL = 100.0  # squared error, in grey levels squared, that such a network leaves on a photo


class Trainer:
    """The state of a run as flat vectors (weights and range offsets, Adam's moments, the moving average) and its step.

    Args:
        start: graph with the weights to begin with, and its ranges.
        teacher: the graph with float weights.
        settings: of the run.
    """

    def __init__(self, start: tuple[Graph, RangeTable], teacher: Graph, settings: QatSettings) -> None:
        self.graph, self.table = start
        self.settings = settings
        self.ranges = LearnedRanges(self.table)
        self.teacher = float_twin(teacher)
        self.twin = quantized_twin(self.graph, self.ranges)
        self.named = weight_variables(self.twin, self.graph)
        self.variables = [*self.named.values(), self.ranges.offsets]
        self.unit = np.concatenate([_unit(self.graph, self.table, *key).ravel() for key in self.named] + [np.ones(self.table.bounds.size)])
        theta = np.concatenate([v.numpy().ravel() for v in self.variables])
        self.state = [tf.Variable(a.astype(np.float32)) for a in (theta, 0 * theta, 0 * theta, theta)]
        self._sizes = [int(np.prod(v.shape)) for v in self.variables]
        self._step = tf.function(self._make_step, autograph=False, jit_compile=False)
        self._run = tf.function(lambda image: self.twin(image), autograph=False, reduce_retracing=True)

    def step(self, low: np.ndarray, high: np.ndarray, done: int) -> float:
        """One update after `done` of them; the loss, in about grey levels squared."""
        rate = self.rate(done)
        return float(self._step(tf.constant(low), tf.constant(high), tf.constant(rate, tf.float32), tf.constant(done + 1.0)))

    def rate(self, done: int) -> float:
        """The relative rate of the update after `done` of them: linear warm-up, then a cosine to nothing."""
        settings = self.settings
        rest = max(0, done - settings.warmup) / max(1, settings.steps - settings.warmup)
        return settings.lr * min(1.0, (done + 1) / max(1, settings.warmup)) * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * min(1.0, rest))))

    def use(self, vector: tf.Variable) -> None:
        """Puts a flat vector (the weights, or their average) into the twin."""
        for variable, part in zip(self.variables, tf.split(vector, self._sizes)):
            variable.assign(tf.reshape(part, variable.shape))

    def centre(self, batches: Iterable[np.ndarray]) -> None:
        """Moves the last convolution's biases so that the twin, as it is now, has the float network's mean colour.

        Args:
            batches: (N, h, w, 3) float32 in [0, 1], patches that the mean error is measured on.
        """
        means = []
        for low in batches:
            error = tf.clip_by_value(self.teacher(low), 0.0, 1.0) - self.twin(low)
            scale = error.shape[1] // low.shape[1]
            means.append(tf.reduce_mean(tf.nn.space_to_depth(error, scale)[:, BORDER:-BORDER, BORDER:-BORDER], (0, 1, 2)))
        last = self.named.get((_last_convolution(self.graph), "bias"))
        if last is not None:
            last.assign_add(tf.reduce_mean(means, 0))

    def upscale(self, image: np.ndarray) -> np.ndarray:
        """What the twin makes of (h, w, 3) float32 in [0, 1]."""
        return self._run(tf.constant(image[None])).numpy()[0]

    def quantized(self) -> tuple[Graph, RangeTable]:
        """The graph as the twin has it now: kernels on their 8-bit grid, learned ranges."""
        graph = self.graph.copy()
        for (name, key), variable in self.named.items():
            node = graph.nodes[name]
            if key == "bias":
                value = variable
            elif node.op == "depthwise_conv2d":
                value = fake_quant_kernel(variable[..., 0])[..., None]
            else:
                value = fake_quant_kernel(variable)
            node.weights[key] = np.asarray(value)
        return graph, replace(self.table, bounds=self.ranges.bounds().numpy())

    def _make_step(self, low: tf.Tensor, high: tf.Tensor, rate: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        settings = self.settings
        scale = high.shape[1] // low.shape[1]
        exact = tf.clip_by_value(self.teacher(low), 0.0, 1.0)
        # PSNR falls by the added error relative to the error that was there: the same noise costs more where that is small.
        there = tf.reduce_mean((255 * (exact - high)) ** 2, (1, 2, 3))
        weight = TYPICAL / (there + TYPICAL / 2)
        inside = _inside(high.shape[1], high.shape[2], BORDER * scale)
        target = exact + settings.hr_share * inside * (high - exact)
        with tf.GradientTape() as tape:
            error = 255 * (self.twin(low) - target) * (inside + BORDER_WEIGHT * (1 - inside))
            luma = tf.reduce_sum(error * LUMA, -1, keepdims=True)
            squares = (1 - settings.luma_share) * error**2 + settings.luma_share * luma**2
            loss = tf.reduce_mean(weight * tf.reduce_mean(squares, (1, 2, 3)))
        gradients = tape.gradient(loss, self.variables)
        theta, first, second, average = self.state
        unit = tf.constant(self.unit, tf.float32)
        slope = tf.concat([tf.reshape(g, [-1]) for g in gradients], 0) * unit
        first.assign(BETAS[0] * first + (1 - BETAS[0]) * slope)
        second.assign(BETAS[1] * second + (1 - BETAS[1]) * slope**2)
        direction = first / (1 - BETAS[0] ** count) / (tf.sqrt(second / (1 - BETAS[1] ** count)) + 1e-8)
        theta.assign_sub(rate * unit * direction)
        keep = tf.minimum(settings.ema, count / (count + 9))  # a young average forgets its start sooner
        average.assign(keep * average + (1 - keep) * theta)
        self.use(theta)
        return loss


def _inside(height: int, width: int, edge: int) -> np.ndarray:
    """(1, H, W, 1) float32: 1 where a pixel lies `edge` pixels or more from the border, 0 outside."""
    inside = np.zeros((1, height, width, 1), np.float32)
    inside[:, edge:-edge, edge:-edge] = 1
    return inside


def _last_convolution(graph: Graph) -> str:
    """The node whose channels are the result's before the shuffle: the last convolution, or one term of a last sum."""
    node = graph.output
    while node.op in ("depth_to_space", "clip", "add"):
        node = graph.nodes[node.inputs[-1]]
    return node.name


def _unit(graph: Graph, table: RangeTable, name: str, key: str) -> np.ndarray:
    """What one step of rate 1 may change of a weight: a kernel's rms per output channel, a tenth of the values' range for a bias."""
    node = graph.nodes[name]
    weights = node.weights[key]
    if not node.attrs.get("trainable", True):
        return np.zeros(weights.shape)
    if key == "bias":
        low, high = table.bounds[table.group[name]] if name in table.group else (weights.min(), weights.max())
        return np.full(weights.shape, max(0.1 * float(high - low), 1e-6))
    axes = (0, 1, 3) if node.op == "depthwise_conv2d" else (0, 1, 2)
    rms = np.sqrt((weights.astype(np.float64) ** 2).mean(axes, keepdims=True))
    return np.broadcast_to(np.maximum(rms, 1e-3 * rms.max() + 1e-12), weights.shape)


def train(folder: str, data: str, validation: str | None, cache: str | None, settings: dict) -> Generator[dict]:
    """Trains, or goes on; leaves `best.npz`, the quantized graph with the best average on the validation photos.

    Args:
        folder: of the run.
        data: folder of photos to train on.
        validation: folder of photos that choose the best weights, None to take some of `data`.
        cache: folder for the photos' cache, None for the usual one.
        settings: the fields of `QatSettings`.

    Yields:
        {"begin": step, "steps": in all, "warnings": []} once, {"step": step} for each, and {"row": of the log} for each interval.

    Raises:
        TrainingError: another process trains here, a damaged checkpoint, or a loss that is not finite.
    """
    first, *_, last = saved_graph(Path(folder), "start.npz").nodes.values()
    photos, held_out = photo_sets(data, validation, last.shape[1] // first.shape[1], cache)
    yield from _run(Path(folder), photos, held_out, QatSettings(**settings))


def _run(folder: Path, data: PhotoSet, validation: PhotoSet, settings: QatSettings) -> Generator[dict]:
    files = RunFiles(folder)
    with files.locked():
        checkpoint = files.read()
        patches = Patches(data, settings.batch, settings.patch, settings.seed)
        trainer = Trainer(saved_with_ranges(folder, "start.npz"), saved_graph(folder, "float.npz"), settings)
        facts: dict[str, Any] = {"seconds": 0.0, "best": None, "rows": []}
        done = 0
        if checkpoint:
            done = checkpoint.step
            facts = dict(zip(facts, files.restore(checkpoint, trainer.state)))
        yield {"begin": done, "steps": settings.steps, "warnings": [*data.skipped, *patches.too_small]}
        if done == 0:
            yield {"row": _log(files, trainer, patches, validation, facts, None)}
        trainer.use(trainer.state[0])
        began = time.perf_counter() - facts["seconds"]
        losses = []
        with ThreadPoolExecutor(1) as ahead:
            batch = ahead.submit(patches.at, done)
            while done < settings.steps:
                low, high = batch.result()
                batch = ahead.submit(patches.at, done + 1)
                losses.append(trainer.step(low, high, done))
                done += 1
                yield {"step": done}
                if done % settings.interval == 0 or done == settings.steps:
                    if not np.isfinite(losses).all():
                        raise TrainingError(f"{folder}: the loss left the numbers before step {done}: start anew with a lower `lr`")
                    facts["seconds"] = time.perf_counter() - began
                    yield {"row": _log(files, trainer, patches, validation, facts, float(np.mean(losses)), done)}
                    files.write(Checkpoint(done, [v.numpy() for v in trainer.state], facts))
                    files.write_log(facts["rows"])
                    trainer.use(trainer.state[0])
                    losses = []


def _log(files: RunFiles, trainer: Trainer, patches: Patches, validation: PhotoSet, facts: dict, loss: float | None, done: int = 0) -> dict:
    """Validates the average, its mean colour set right, keeps it if it is the best so far, adds the row, which it returns."""
    trainer.use(trainer.state[3])
    trainer.centre(patches.at(trainer.settings.steps + i)[0] for i in range(CENTRING))
    outputs = (to_uint8(trainer.upscale(photo.low.astype(np.float32) / 255)) for photo in validation.photos)
    scores = [psnr_y(output, photo.high, validation.scale) for output, photo in zip(outputs, validation.photos)]
    row = {"step": done, "seconds": round(facts["seconds"], 1), "lr": trainer.rate(max(0, done - 1)), "val_psnr_y": float(np.mean(scores))}
    if loss is not None:
        row["loss"] = loss
    if facts["best"] is None or row["val_psnr_y"] > facts["best"]:
        facts["best"] = row["val_psnr_y"]
        arrays: dict[str, Any] = pack(*trainer.quantized())
        files.replace("best.npz", lambda path: np.savez(path, **arrays))
    facts["rows"].append(row)
    return row
