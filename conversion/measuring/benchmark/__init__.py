"""Timing a .tflite on this machine and on a phone."""
