"""What is true of any ONNX graph: how to walk it, its shapes, its constants, its external data."""
