"""Export LocoTrack point trackers to ONNX, prove the graph, run it on real video."""

__version__ = "0.1.0"
