"""The encoder in a Scan: the same grids from a graph whose encoder never sees two frames."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from locoexport.errors import GraphCheckFailedError
from locoexport.lowering.tracker.frame_scan import scan_frames

HEIGHT, WIDTH = 8, 12


def _encoder(*, mixes_frames: bool = False) -> onnx.ModelProto:
    """Frames → three grids, with the names and the shape of an exported encoder."""
    rng = np.random.default_rng(0)
    nodes, initializers, outputs = [], [], []

    def constant(name: str, array: np.ndarray) -> str:
        initializers.append(onnx.numpy_helper.from_array(array, name))
        return name

    def node(op: str, inputs: list[str], name: str, **attributes) -> str:
        nodes.append(helper.make_node(op, inputs, [name], name=f"/encoder/{name}", **attributes))
        return name

    flat = node(
        "Reshape", ["video_input", constant("flat", np.array([-1, HEIGHT, WIDTH, 3]))], "frames"
    )
    images = node("Transpose", [flat], "images", perm=[0, 3, 1, 2])
    grids = []
    for index, channels in enumerate((2, 4, 6)):
        weight = constant(f"w{index}", rng.normal(size=(channels, 3, 3, 3)).astype(np.float32))
        grid = node("Conv", [images, weight], f"conv{index}", pads=[1, 1, 1, 1])
        gate = node("ReduceMean", [grid], f"mean{index}", axes=[0 if mixes_frames else 2, 3])
        grid = node("Mul", [grid, node("Sigmoid", [gate], f"gate{index}")], f"gated{index}")
        grids.append(node("Transpose", [grid], f"last{index}", perm=[0, 2, 3, 1]))
    for index, grid in enumerate(grids):
        shape = constant(f"to{index}", np.array([1, -1, HEIGHT, WIDTH, 2 * (index + 1)]))
        nodes.append(
            helper.make_node("Reshape", [grid, shape], [f"five{index}"], name=f"/encoder/r{index}")
        )
        nodes.append(
            helper.make_node("Neg", [f"five{index}"], [f"out{index}"], name=f"/neg{index}")
        )
        outputs.append(helper.make_tensor_value_info(f"out{index}", TensorProto.FLOAT, None))
    video = helper.make_tensor_value_info(
        "video_input", TensorProto.FLOAT, [1, "frames", HEIGHT, WIDTH, 3]
    )
    graph = helper.make_graph(nodes, "encoder", [video], outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _run(model: onnx.ModelProto, frames: int) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rng = np.random.default_rng(frames)
    video = rng.uniform(-1, 1, (1, frames, HEIGHT, WIDTH, 3)).astype(np.float32)
    return session.run(None, {"video_input": video})


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_the_same_grids(frames: int) -> None:
    model = _encoder()
    scanned = scan_frames(model)
    onnx.checker.check_model(scanned, full_check=True)
    for found, expected in zip(_run(scanned, frames), _run(model, frames), strict=True):
        # The same kernels on one image at a time; convolutions may block their sums otherwise.
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_one_scan_holds_the_encoder_and_its_weights() -> None:
    scanned = scan_frames(_encoder())
    (scan,) = [node for node in scanned.graph.node if node.op_type == "Scan"]
    assert not any(node.op_type in ("Conv", "Sigmoid") for node in scanned.graph.node)
    body = next(attribute.g for attribute in scan.attribute if attribute.name == "body")
    assert {tensor.name for tensor in body.initializer} >= {"w0", "w1", "w2"}
    assert not {tensor.name for tensor in scanned.graph.initializer} & {"w0", "w1", "w2"}


def test_a_grid_that_is_read_before_its_reshape_leaves_the_scan_as_well() -> None:
    model = _encoder()
    # As onnxsim leaves planar sampling: channels-first features are read past the encoder's end.
    model.graph.node.append(helper.make_node("Neg", ["gated1"], ["early"], name="/sampling/Neg"))
    model.graph.output.append(helper.make_tensor_value_info("early", TensorProto.FLOAT, None))
    scanned = scan_frames(model)
    onnx.checker.check_model(scanned, full_check=True)
    for found, expected in zip(_run(scanned, 3), _run(model, 3), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_an_encoder_that_mixes_frames_is_refused() -> None:
    with pytest.raises(GraphCheckFailedError, match="ReduceMean '/encoder/mean0' may mix frames"):
        scan_frames(_encoder(mixes_frames=True))


def test_a_graph_without_an_encoder_is_refused() -> None:
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(GraphCheckFailedError, match="0 beginnings"):
        scan_frames(model)


def _with_resize(*, along_frames: bool = False) -> onnx.ModelProto:
    """The encoder behind frames of any size as bytes, of which rows and columns are gathered."""
    model = _encoder()
    graph = model.graph
    (flat,) = [tensor for tensor in graph.initializer if tensor.name == "flat"]
    graph.input[0].type.CopyFrom(
        helper.make_tensor_type_proto(TensorProto.UINT8, [1, "frames", "height", "width", 3])
    )
    constants = {
        "five": np.array([0, -1, 3]),
        "sizes": np.array([2, 3, 4]),
        "rows": np.arange(HEIGHT),
        "columns": np.arange(WIDTH),
        "minus": np.array([-1]),
        "weight": np.linspace(0, 1, WIDTH, dtype=np.float32)[:, None],
        "row": np.array(2),
    }
    graph.initializer.extend(
        onnx.numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    made = [
        ("Shape", ["video_input"], "size", {}),
        ("Gather", ["size", "sizes"], "frame_size", {"axis": 0}),
        ("Concat", ["minus", "frame_size"], "any", {"axis": 0}),
        ("Reshape", ["video_input", "any"], "frames", {}),
        ("Gather", ["frames", "rows"], "some_rows", {"axis": 0 if along_frames else 1}),
        ("Gather", ["size", "row"], "height", {"axis": 0}),
        # Computed from sizes, after the first operation on frames.
        ("Sub", ["columns", "columns"], "nothing", {}),
        ("Add", ["columns", "nothing"], "last_columns", {}),
        ("Gather", ["some_rows", "last_columns"], "corner", {"axis": 2}),
        ("Cast", ["corner"], "levels", {"to": TensorProto.FLOAT}),
        ("Mul", ["levels", "weight"], "weighed", {}),
        ("Transpose", ["weighed"], "images", {"perm": [0, 3, 1, 2]}),
    ]
    rest = [node for node in graph.node if node.output[0] not in ("frames", "images")]
    del graph.node[:]
    graph.node.extend(
        helper.make_node(op, inputs, [name], name=f"/encoder/{name}", **attributes)
        for op, inputs, name, attributes in made
    )
    graph.node.extend(rest)
    graph.initializer.remove(flat)
    return model


@pytest.mark.parametrize("size_hw", [(HEIGHT, WIDTH), (31, 17)])
def test_frames_of_any_size_are_resized_in_the_scan(size_hw: tuple[int, int]) -> None:
    model = _with_resize()
    scanned = scan_frames(model)
    onnx.checker.check_model(scanned, full_check=True)
    (scan,) = [node for node in scanned.graph.node if node.op_type == "Scan"]
    body = next(attribute.g for attribute in scan.attribute if attribute.name == "body")
    assert body.input[0].type.tensor_type.elem_type == TensorProto.UINT8
    assert sum(node.op_type == "Gather" for node in body.node) == 2
    outside = [node.op_type for node in scanned.graph.node]
    assert outside.index("Scan") > outside.index("Add")
    video = np.random.default_rng(0).integers(0, 256, (1, 4, *size_hw, 3)).astype(np.uint8)
    answers = [
        onnxruntime.InferenceSession(
            each.SerializeToString(), providers=["CPUExecutionProvider"]
        ).run(None, {"video_input": video})
        for each in (scanned, model)
    ]
    for found, expected in zip(*answers, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


def test_gathering_frames_is_refused() -> None:
    with pytest.raises(GraphCheckFailedError, match="Gather '/encoder/some_rows' may mix frames"):
        scan_frames(_with_resize(along_frames=True))


def _quantised() -> onnx.ModelProto:
    """The encoder with 8-bit convolutions: images and weights go through integers."""
    model = _encoder()
    weights = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
    }
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(1 / 127), "step"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.int8(0), "zero"))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.op_type == "Conv":
            name, weight = node.name, node.input[1]
            model.graph.initializer.append(
                onnx.numpy_helper.from_array(
                    np.clip(np.rint(weights[weight] * 40), -127, 127).astype(np.int8), f"{weight}_q"
                )
            )
            read = [node.input[0], "step", "zero"]
            model.graph.node.extend(
                (
                    helper.make_node("QuantizeLinear", read, [f"{name}_q"], name=f"{name}_Q"),
                    helper.make_node(
                        "DequantizeLinear",
                        [f"{name}_q", "step", "zero"],
                        [f"{name}_x"],
                        name=f"{name}_DQ",
                    ),
                    # The quantiser names it after the weight, which has no scope.
                    helper.make_node(
                        "DequantizeLinear",
                        [f"{weight}_q", "step", "zero"],
                        [f"{weight}_f"],
                        name=f"{weight}_DQ",
                    ),
                )
            )
            node.input[0], node.input[1] = f"{name}_x", f"{weight}_f"
        model.graph.node.append(node)
    # The quantiser makes numbers of weights at the very beginning.
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(
        sorted(copies, key=lambda n: n.input[0] not in ("w0_q", "w1_q", "w2_q"))
    )
    return model


def test_a_quantised_encoder_goes_into_the_scan_with_its_weights() -> None:
    model = _quantised()
    scanned = scan_frames(model)
    onnx.checker.check_model(scanned, full_check=True)
    assert not any(
        node.op_type in ("Conv", "QuantizeLinear", "DequantizeLinear")
        for node in scanned.graph.node
    )
    for found, expected in zip(_run(scanned, 3), _run(model, 3), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_a_scale_for_each_frame_is_refused() -> None:
    model = _quantised()
    for tensor in model.graph.initializer:
        if tensor.name == "step":
            steps = np.full(2, 1 / 127, np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(steps, "step"))
        if tensor.name == "zero":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros(2, np.int8), "zero"))
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.attribute.append(helper.make_attribute("axis", 0))
    with pytest.raises(GraphCheckFailedError, match="may mix frames"):
        scan_frames(model)
