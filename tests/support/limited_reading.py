"""Reads a file as a command does, for a process of its own that has ten seconds and a gigabyte (`keras_models.system.sandbox`)."""

from pathlib import Path

PRELOADED = ("numpy", "h5py", "ml_dtypes", "ai_edge_litert.schema_py_generated")


def read(path):
    """How many arrays, tensors or groups a file holds."""
    kind = Path(path).suffix
    if kind == ".h5":
        from keras_models.checkpoints.hdf5_copy import copy_weights

        copy_weights(path, path + ".copy", 1 << 20)
        return 0
    if kind == ".tflite":
        from conversion.gpu.ops import check_gpu
        from conversion.tflite.file import read_tflite
        from conversion.tflite.live_bytes import live_bytes_per_pixel

        file = read_tflite(path)
        check_gpu(path)
        if file.inputs and len(file.tensors[0].shape) > 2:
            live_bytes_per_pixel(file)
        return len(file.tensors)
    from keras_models.checkpoints.state_dict import read_state

    return len(read_state(path))
