"""Run as a program: what the twin of `conversion.quantization.qat.tfmot_model` computes beside the Keras 3 graph, as JSON.

It needs TF_USE_LEGACY_KERAS, so it cannot be part of a test's own process.

    python qat_program.py START.npz
"""

import json
import os
import sys
from dataclasses import replace

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

from conversion.graph.arrays import unpack
from conversion.graph.to_keras import to_keras
from conversion.quantization.fake_quant import with_fake_quant
from conversion.quantization.qat.settings import QatSettings
from conversion.quantization.qat.tfmot_model import fake_quant, float_twin
from conversion.quantization.qat.train import Trainer


def main(path):
    with np.load(path) as arrays:
        graph, table = unpack(arrays)
    image = np.random.default_rng(0).random((1, 20, 24, 3)).astype(np.float32)
    sys.stdout.write(json.dumps({**twins(graph, table, image), **colour(graph, table, image), **gradients(), **training(graph, table)}))


def twins(graph, table, image):
    """Largest differences between the twins and the Keras 3 graphs that they stand for."""
    trainer = Trainer((graph, table), graph, QatSettings(steps=1))
    on_grid, learned = trainer.quantized()
    ranges = {name: tuple(map(float, learned.bounds[index])) for name, index in learned.group.items()}
    simulated = np.asarray(to_keras(with_fake_quant(on_grid, ranges), None, None)(image)["upscaled"])
    exact = np.asarray(to_keras(graph, None, None)(image)["upscaled"])
    twin = trainer.upscale(image[0])[None]
    kernels = [node.weights["kernel"] for node in on_grid.nodes.values() if "kernel" in node.weights]
    depthwise = [node.op == "depthwise_conv2d" for node in on_grid.nodes.values() if "kernel" in node.weights]
    return {
        "float": float(np.abs(float_twin(graph)(image).numpy() - exact).max()),
        "quantized": float(np.abs(twin - simulated).max()),
        "quantization": float(np.abs(twin - exact).max()),
        "off_grid": max(map(off_grid, kernels, depthwise)),
    }


def colour(graph, table, image):
    """Mean error before and after the colour is set right, of a twin whose last bias was spoilt.

    Thrice, because the tiny network's outputs saturate: a bias moves the mean of the clipped picture by about half.
    """
    trainer = Trainer((graph, table), graph, QatSettings(steps=1))
    list(trainer.named.values())[-1].assign_add(np.full(12, 0.05, np.float32))
    exact = np.clip(trainer.teacher(image).numpy(), 0, 1)
    before = float((trainer.upscale(image[0]) - exact[0]).mean())
    for _ in range(3):
        trainer.centre([image])
    return {"colour": [before, float((trainer.upscale(image[0]) - exact[0]).mean())]}


def off_grid(kernel, depthwise):
    rows = kernel[..., 0].reshape(-1, kernel.shape[2]) if depthwise else kernel.reshape(-1, kernel.shape[-1])
    limit = np.abs(rows).max(axis=0)
    q = rows / np.where(limit > 0, limit, 1) * 127
    return float(np.abs(q - np.round(q)).max())


def gradients():
    """Gradients of fake quantization of two equal images to (low, high), beside those written out by hand."""
    x = np.float32([-1.6, -0.502, 0.11, 0.333, 0.777, 2.5])
    upstream = np.float32([0.3, 1.0, -2.0, 0.5, 0.25, -0.7])
    low, high = tf.constant(-1.0), tf.constant(1.55)
    batch = tf.constant(np.stack([x, x]))
    with tf.GradientTape() as tape:
        tape.watch([batch, low, high])
        y = fake_quant(batch, low, high)
    to_x, to_low, to_high = tape.gradient(y, [batch, low, high], np.stack([upstream, upstream]))
    inside = (x > -1.0) & (x < 1.55)
    rounding = 2 * float((upstream * inside * (np.round(x / 0.01) * 0.01 - x)).sum()) / 2.55
    return {
        "to_x": [to_x[0].numpy().tolist(), (upstream * inside).tolist()],
        "to_range": [[float(to_low), float(to_high)], [2 * 0.3 - rounding, -2 * 0.7 + rounding]],
    }


def training(graph, table):
    """Losses of steps on one batch from ranges that cut off; did fixed ranges and frozen weights stay, and learned ones move."""
    table = replace(table, bounds=np.where(table.learned[:, None], np.float32(0.6), np.float32(1)) * table.bounds)
    trainer = Trainer((graph, table), graph, QatSettings(steps=60, warmup=1, lr=1e-2, hr_share=0.0))
    low = np.random.default_rng(1).random((2, 16, 16, 3)).astype(np.float32)
    high = low.repeat(2, 1).repeat(2, 2)
    losses = [trainer.step(low, high, done) for done in range(60)]
    moved = trainer.ranges.bounds().numpy() != table.bounds
    frozen = [key for key in trainer.named if not graph.nodes[key[0]].attrs.get("trainable", True)]
    return {
        "losses": losses,
        "moved": [bool(moved[~table.learned].any()), float(moved[table.learned].mean())],
        "frozen": [bool((trainer.named[key].numpy() == graph.nodes[key[0]].weights[key[1]]).all()) for key in frozen],
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
