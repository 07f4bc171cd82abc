"""The beginning of a script in which importing PyTorch, onnx or the networks is an error."""

__all__ = ["REFUSE_TORCH_AND_ONNX"]

REFUSE_TORCH_AND_ONNX = """
import sys

REFUSED = {"torch", "onnx", "onnxsim", "onnxscript", "onnx_ir", "locoexport.models"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in REFUSED:
            raise ImportError(f"{name} was imported")

sys.meta_path.insert(0, Refuse())
"""
