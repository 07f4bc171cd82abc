"""A tiny ONNX graph with the inputs, outputs and metadata of an exported tracker."""

import onnx
import onnx.parser

from locoexport.contract.metadata import ArtifactMetadata, WeightsOrigin

# Points move by VELOCITY a frame from where they were asked for. Occlusion is 8 × the frame's mean
# brightness, so bright frames hide every point; expected_dist is the query's y / 100 - 4. With eyes
# it reads a frame's time off its grey level, 1 a frame, wherever the frame stands.
VELOCITY_XY = (0.5, -0.25)
MODEL_HW = (24, 32)

_GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
tracker (float[{batch},{frames},{height},{width},3] video_input,
         float[{batch},{points},3] query_input)
  => (float[{batch},{points},{frames},2] tracks, float[{batch},{points},{frames}] occlusion,
      float[{batch},{points},{frames}] expected_dist)
<int64[1] one = {{1}}, int64[1] two = {{2}}, int64[1] three = {{3}}, int64[1] nil = {{0}},
 int64[1] last = {{-1}}, int64 zero_i = {{0}}, int64 one_i = {{1}}, int64[1] axis1 = {{1}},
 float zero = {{0}}, float eight = {{8}}, float hundred = {{100}}, float four = {{4}},
 float half = {{127.5}}, float unit = {{1}}, float[2] velocity = {{0.5, -0.25}}>
{{
  shape = Shape(video_input)
  count = Gather(shape, one_i)
  range = Range(zero_i, count, one_i)
  index = Cast<to = 1>(range)
  t = Slice(query_input, nil, one, two)
  y = Slice(query_input, one, two, two)
  x = Slice(query_input, two, three, two)
  mean = ReduceMean<axes = [2, 3, 4], keepdims = 0>(video_input)
  bright = Unsqueeze(mean, axis1)
{elapsed}
  xy = Concat<axis = 2>(x, y)
  start = Unsqueeze(xy, two)
  steps = Unsqueeze(elapsed, last)
  motion = Mul(steps, velocity)
  moved = Add(start, motion)
  tracks = {finish}(moved)
  still = Mul(elapsed, zero)
  scaled = Mul(bright, eight)
  occlusion = Add(scaled, still)
  part = Div(y, hundred)
  low = Sub(part, four)
  expected_dist = Add(still, low)
}}
"""


# What a tracker that takes uint8 frames of any size has in place of the lines above.
_FROM_FRAMES = {
    "float[{batch},{frames},{height},{width},3] video_input": (
        "uint8[{batch},{frames},height,width,3] video_input"
    ),
    "  mean = ReduceMean<axes = [2, 3, 4], keepdims = 0>(video_input)": (
        "  levels = Cast<to = 1>(video_input)\n  grey = Div(levels, half)\n"
        "  normal = Sub(grey, unit)\n"
        "  mean = ReduceMean<axes = [2, 3, 4], keepdims = 0>(normal)"
    ),
}
_BY_PLACE = "  elapsed = Sub(index, t)"
_BY_SIGHT = """
  apart = Sub(index, t)
  far = Abs(apart)
  near = Sub(unit, far)
  chosen = Relu(near)
  above = Add(bright, unit)
  level = Mul(above, half)
  own = Mul(level, chosen)
  since = ReduceSum<keepdims = 1>(own, last)
  elapsed = Sub(level, since)
"""


def synthetic_metadata(
    resolution_hw: tuple[int, int] = MODEL_HW, input_type: str = "float32"
) -> ArtifactMetadata:
    return ArtifactMetadata(
        version="0.1.0",
        profile="b0-tiny",
        variant="b0-tiny",
        resolution_hw=resolution_hw,
        opset=17,
        precision="fp32",
        sampling="planar",
        rewrites=(),
        weights=WeightsOrigin(None, None),
        simplifier="none",
        torch_version="2.13.0",
        input_type=input_type,
    )


def tracker_bytes(
    *,
    batch: int | str = "batch",
    frames: int | str = "frames",
    points: int | str = "points",
    metadata_hw: tuple[int, int] | None = MODEL_HW,
    input_type: str = "float32",
    eyes: bool = False,
    rename: dict[str, str] | None = None,
    finish: str = "Identity",
) -> bytes:
    """The file's bytes; an axis is fixed by an int. ``rename`` replaces text in the graph.

    With ``uint8`` it takes frames of any size, and points move in the pixels of those.
    """
    height, width = MODEL_HW
    text = _GRAPH
    for old, new in _FROM_FRAMES.items() if input_type == "uint8" else ():
        assert old in text
        text = text.replace(old, new)
    text = text.format(
        batch=batch,
        frames=frames,
        points=points,
        height=height,
        width=width,
        finish=finish,
        elapsed=_BY_SIGHT if eyes else _BY_PLACE,
    )
    for old, new in (rename or {}).items():
        text = text.replace(old, new)
    model = onnx.parser.parse_model(text)
    if metadata_hw is not None:
        metadata = synthetic_metadata(metadata_hw, input_type)
        onnx.helper.set_model_props(model, metadata.to_properties())
    return bytes(model.SerializeToString())
