"""ONNX from elsewhere in (rewritten, then onnx2tf), and our networks out."""
