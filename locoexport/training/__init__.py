"""Training a tracker: data, loss, loop; torch and Lightning. No onnx, no ONNX Runtime."""
