"""Export, verify and track as functions: what the command line calls, and the public Python API.

One file a command, each a few calls to the stages below. ``track`` needs neither torch nor onnx.
"""
