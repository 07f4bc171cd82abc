"""A tiny ONNX graph with the inputs and outputs of a YuNet face detector.

Its score in each 8, 16 and 32 pixel cell is the cell's mean brightness for the 32 pixel cells and
0 elsewhere; every box is as large as its cell.
"""

import onnx
import onnx.parser

_GRAPH = """
<ir_version: 8, opset_import: ["" : 13]>
yunet (float[1,3,{size},{size}] input) => ({outputs})
<float scale = {{0.00392157}}, int64[3] column = {{1,-1,1}}, float zero = {{0}},
 int64[4] four = {{1,1,1,4}}, int64[4] ten = {{1,1,1,10}}, int64[3] rows4 = {{1,-1,4}},
 int64[3] rows10 = {{1,-1,10}}, int64[4] lead = {{1,-1,1,1}}>
{{
  mean = ReduceMean<axes = [1], keepdims = 1>(input)
  bright = Mul(mean, scale)
{nodes}
}}
"""

_STRIDE = """
  pooled_{s} = AveragePool<kernel_shape = [{s}, {s}], strides = [{s}, {s}]>(bright)
  scored_{s} = Mul(pooled_{s}, {weight})
  cls_{s} = Reshape(scored_{s}, column)
  obj_{s} = Identity(cls_{s})
  still_{s} = Mul(cls_{s}, zero)
  flat_{s} = Reshape(still_{s}, lead)
  wide_{s} = Tile(flat_{s}, four)
  bbox_{s} = Reshape(wide_{s}, rows4)
  long_{s} = Tile(flat_{s}, ten)
  kps_{s} = Reshape(long_{s}, rows10)
"""


def yunet_bytes(size: int) -> bytes:
    """The file's bytes, for square pictures of that size, a multiple of 32."""
    strides = (8, 16, 32)
    names = [f"{kind}_{s}" for kind in ("cls", "obj", "bbox", "kps") for s in strides]
    widths = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    outputs = ", ".join(
        f"float[1,{(size // int(name.split('_')[1])) ** 2},{widths[name.split('_')[0]]}] {name}"
        for name in names
    )
    nodes = "".join(_STRIDE.format(s=s, weight="one" if s == 32 else "zero") for s in strides)
    text = _GRAPH.format(size=size, outputs=outputs, nodes=nodes)
    text = text.replace("float zero = {0}", "float zero = {0}, float one = {1}")
    return bytes(onnx.parser.parse_model(text).SerializeToString())
