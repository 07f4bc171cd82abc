"""Graph passes over ONNX files, and the promises every exported file keeps. No torch."""
