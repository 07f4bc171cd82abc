"""Nodes that sample, ONNX's and others', as they are read."""
