"""What is true of an .onnx file, ours or foreign: facts, costs at given sizes, and a lint.

Needs onnx alone: no torch, no runtime, and nothing is run.
"""
