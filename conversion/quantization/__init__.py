"""Post-training quantization: graphs that bear 8 bits, ranges, rounding, the report of every recipe."""
