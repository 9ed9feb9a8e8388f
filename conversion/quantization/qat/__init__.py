"""Quantization-aware training; `train` and `twin` live in a process of their own, with tf_keras."""
