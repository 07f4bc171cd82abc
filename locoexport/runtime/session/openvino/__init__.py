"""An .onnx file in OpenVINO itself."""
