"""The command line: parse, call one function, render, exit. One file a command.

Nothing here imports torch, onnx or onnxruntime until a command runs, so that ``--help`` is quick.
"""

from locoexport.cli.main import main

__all__ = ["main"]
