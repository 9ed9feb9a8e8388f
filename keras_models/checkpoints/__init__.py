"""Weights in and out: PyTorch, safetensors, NumPy and Keras files, read without running anything in them."""
