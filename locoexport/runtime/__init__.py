"""What runs on the user's machine: numpy, ONNX Runtime, OpenCV and PyAV. Never torch or onnx."""
