"""Run as a program under a KERAS_BACKEND: replays every recorded Adan trajectory and prints the worst errors as JSON.

The gradients are given: each step's loss is sum(gradient * variable), minimised through the backend's own `apply`.
"""

import json
import sys

import keras
import numpy as np

from keras_models.adan import Adan


def replay(recorded, setting):
    settings = json.loads(str(recorded[f"{setting}/settings"]))
    optimizer = Adan(
        settings["lr"], settings["betas"], settings["eps"], settings["weight_decay"], settings["max_grad_norm"], settings["no_prox"]
    )
    variables = [keras.Variable(recorded[f"{setting}/param{i}/0"]) for i in range(3)]
    optimizer.build(variables)
    worst = 0.0
    for step in range(1, 9):
        if setting == "clip" and step == 6:
            optimizer.restart()
        if setting == "betas_eps_lr_drop" and step == 5:
            optimizer.learning_rate = settings["lr"] / 2
        grads = [keras.ops.convert_to_tensor(recorded[f"{setting}/grad{i}/{step}"]) for i in range(3)]
        optimizer.apply(grads, variables)
        if step == 3:  # a saved and reloaded optimizer goes on as if nothing had happened
            optimizer = reloaded(optimizer, variables)
        for i, variable in enumerate(variables):
            truth = recorded[f"{setting}/param{i}/{step}"].astype(np.float64)
            ours = keras.ops.convert_to_numpy(variable).astype(np.float64)
            worst = max(worst, np.max(np.abs(ours - truth) / np.maximum(np.abs(truth), 1e-3)))
    return worst


def reloaded(optimizer, variables):
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(twin) is Adan
    twin.build(variables)
    store = {}
    optimizer.save_own_variables(store)
    twin.load_own_variables(store)
    return twin


if __name__ == "__main__":
    recorded = np.load(sys.argv[1])
    names = sorted({key.split("/")[0] for key in recorded.files})
    sys.stdout.write(json.dumps({"backend": keras.backend.backend(), **{name: replay(recorded, name) for name in names}}) + "\n")
