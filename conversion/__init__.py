"""From a Keras network to a .tflite file and from a photo to a larger photo."""
