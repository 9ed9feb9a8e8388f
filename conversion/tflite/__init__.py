"""The .tflite file itself: reading, checking, writing, changing its tile."""
