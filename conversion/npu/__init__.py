"""Qualcomm's NPU without a phone: compiling for a Snapdragon, and running the result as on its Hexagon (docs/npu.md)."""
