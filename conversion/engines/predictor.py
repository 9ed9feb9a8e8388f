"""Any model as one function from an image to its larger image: Keras, .tflite or ONNX, the whole image at once."""

from conversion.source import ModelSource, Predictor


def predictor_of(source: ModelSource, threads: int | None = None) -> Predictor:
    """Opens a model of any kind: .tflite and .onnx in tiles where they cannot run whole images, the rest in Keras.

    Raises:
        MobileSRError: it cannot be read or is not super-resolution.
    """
    if source.kind in ("tflite", "onnx"):
        return _of_engine(source, threads)
    return _open_keras(source)


def _open_keras(source: ModelSource) -> Predictor:
    from keras_models.system.quiet import import_keras

    import_keras()
    import keras

    network = source.network()
    return Predictor(source.label, network.scale, lambda image: keras.ops.convert_to_numpy(network(image[None], training=False))[0])


def _of_engine(source: ModelSource, threads: int | None) -> Predictor:
    from conversion.upscaling.pipeline import run_filled, upscale_array

    engine = source.engine(threads)
    notes = engine.notes
    if engine.resizable and engine.passes == 1:
        many = engine.multiple
        return Predictor(
            source.label,
            engine.scale,
            lambda image: run_filled(engine, image, (-(-image.shape[0] // many) * many, -(-image.shape[1] // many) * many)),
            notes,
        )
    return Predictor(source.label, engine.scale, lambda image: upscale_array(image, engine), notes)
