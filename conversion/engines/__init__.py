"""What runs a model: the CPU, a GPU, whole-image passes, any model as a function."""
