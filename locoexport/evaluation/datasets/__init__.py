"""Annotated clips to score a tracker on: TAP-Vid's files, generated sequences, a stereo pair.

numpy, OpenCV and (to resize as the benchmark does) Pillow; no torch, no onnx, no ONNX Runtime.
"""
