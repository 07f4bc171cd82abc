"""An .onnx file as ``rewrite`` takes it: every pass, to the lowest opset, without the proofs."""

from pathlib import Path

from locoexport.pipeline.rewrite import rewrite_here
from locoexport.pipeline.rewriting.request import PASS_NAMES, RewriteRequest

SUFFIX = ".onnx"


def read(path: Path) -> None:
    """What ``rewrite --no-check`` makes of it."""
    for opset, passes in ((None, ()), (16, PASS_NAMES)):
        rewrite_here(path, RewriteRequest(opset=opset, passes=passes, check=False))
