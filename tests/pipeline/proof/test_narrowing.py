"""The node at fault, on a tracker of a dozen nodes: an encoder in a Scan, costs, tracks."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from locoexport.contract.interface import FileRole
from locoexport.contract.seams import Seam
from locoexport.parity.probes import Probe
from locoexport.pipeline.proof import narrowing
from locoexport.pipeline.proof.narrowing import Narrowed, find_node
from locoexport.pipeline.proof.studied_model import StudiedModel

FRAMES, SIZE = 3, 4
GRID = Seam(
    "/encoder/seam/grid",
    *("backbone", "grid", "features", ("image", "y", "x", "channel"), 1),
    split_output="grid_hires",
)
COSTS = Seam("/cost_volume/seam/costs", "cost volume", "costs", "costs", ("row", "channel"), 1)
TRACKS = Seam("tracks", "refinement", "tracks", "pixels", ("frame", "xy"), 1)
SEAMS = (GRID, COSTS, TRACKS)

Fault = Callable[[onnx.ModelProto], None]


def tracker() -> onnx.ModelProto:
    """As exports name things; the seam of the encoder lies in the body of the Scan."""
    scan = helper.make_node(
        "Scan",
        ["/encoder/frames"],
        ["/encoder/all_0"],
        name="/encoder/Scan",
        num_scan_inputs=1,
        body=encoder_body(),
    )
    nodes = [
        node("Reshape", "/encoder/frames", "video_input", "frame_shape"),
        scan,
        *cost_nodes("/encoder/all_0"),
    ]
    constants = {"frame_shape": np.array([FRAMES, SIZE, SIZE, 3]), **COST_WEIGHTS}
    return model(nodes, constants, {"video_input": (1, FRAMES, SIZE, SIZE, 3)}, {"tracks": None})


def encoder_body() -> onnx.GraphProto:
    weights = {
        "frame_axis": np.array([0]),
        "encoder.gain": np.array([0.5, 1.5, 2.5], np.float32),
        "encoder.bias": np.array([0.125, 0.25, 0.5], np.float32),
    }
    return helper.make_graph(
        [
            node("Unsqueeze", "frame_alone", "frame", "frame_axis", name="/encoder/Unsqueeze"),
            node("Mul", "/encoder/gained", "frame_alone", "encoder.gain"),
            node("Add", GRID.tensor, "/encoder/gained", "encoder.bias"),
            node("Squeeze", "frame_out_0", GRID.tensor, "frame_axis", name="/encoder/Squeeze"),
        ],
        "encode_frame",
        [helper.make_tensor_value_info("frame", TensorProto.FLOAT, (SIZE, SIZE, 3))],
        [helper.make_tensor_value_info("frame_out_0", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )


COST_WEIGHTS = {
    "cost.scale": np.array([1.0, 2.0, 3.0], np.float32),
    "keep": np.array([0, 1]),
    "hundred": np.array(100),
    "cost.middle": np.array([1.0, 2.0], np.float32),
}


def cost_nodes(features: str) -> list[onnx.NodeProto]:
    return [
        node("ReduceMean", "/cost_volume/means", features, axes=[1, 2], keepdims=0),
        node("Mul", "/cost_volume/scaled", "/cost_volume/means", "cost.scale"),
        node("Softmax", COSTS.tensor, "/cost_volume/scaled", axis=-1),
        node("Add", "/refinement_0/raised", "keep", "hundred"),
        node("Sub", "/refinement_0/kept", "/refinement_0/raised", "hundred"),
        node("Gather", "/refinement_0/pair", COSTS.tensor, "/refinement_0/kept", axis=1),
        node("Sub", "tracks", "/refinement_0/pair", "cost.middle", name="/refinement_0/move"),
    ]


def node(op_type: str, output: str, *inputs: str, name: str = "", **attributes) -> onnx.NodeProto:
    """A node named after the scope of its output and its operator."""
    scope = output.split("/")[1] if "/" in output else ""
    name = name or f"/{scope}/{op_type}"
    return helper.make_node(op_type, list(inputs), [output], name=name, **attributes)


def model(nodes, constants, inputs, outputs) -> onnx.ModelProto:
    def values(shapes):
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ]

    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "tracker", values(inputs), values(outputs), weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def narrow(
    fault: Fault | None = None, departing: Seam = TRACKS, precision: str = "fp32"
) -> Narrowed:
    """What is found in the tracker with that fault."""
    suspect = tracker()
    if fault is not None:
        fault(suspect)
    return find_node(studied(suspect), studied(tracker()), probe(), SEAMS, departing, precision)


def studied(whole: onnx.ModelProto) -> StudiedModel:
    return StudiedModel({"whole": whole}, "cpu")


def probe() -> Probe:
    video = np.random.default_rng(0).random((1, FRAMES, SIZE, SIZE, 3), np.float32)
    return Probe("noise", "noise", video, np.zeros((1, 1, 3), np.float32))


def named(graph: onnx.GraphProto, name: str) -> onnx.NodeProto:
    return next(each for each in graph.node if each.name == name)


def body_of(suspect: onnx.ModelProto) -> onnx.GraphProto:
    scan = named(suspect.graph, "/encoder/Scan")
    return next(a.g for a in scan.attribute if a.name == "body")


def change_weight(name: str, by: float = 0.25, index: int = 1) -> Fault:
    def change(suspect: onnx.ModelProto) -> None:
        weights = [*suspect.graph.initializer, *body_of(suspect).initializer]
        weight = next(each for each in weights if each.name == name)
        array = numpy_helper.to_array(weight).copy()
        array[index] += array.dtype.type(by)
        weight.CopyFrom(numpy_helper.from_array(array, name))

    return change


def set_axis(suspect: onnx.ModelProto) -> None:
    named(suspect.graph, "/cost_volume/Softmax").attribute[0].i = 0


def set_operator(suspect: onnx.ModelProto) -> None:
    named(suspect.graph, "/cost_volume/Softmax").op_type = "LogSoftmax"


def swap_inputs(suspect: onnx.ModelProto) -> None:
    inputs = named(suspect.graph, "/refinement_0/move").input
    inputs[:] = [inputs[1], inputs[0]]


def insert(*inserted: onnx.NodeProto, before: str) -> Fault:
    """Nodes between a node and its first input; the first reads that input, the last feeds it."""

    def plant(suspect: onnx.ModelProto) -> None:
        place = [each.name for each in suspect.graph.node].index(before)
        fed = suspect.graph.node[place]
        inserted[0].input[0] = fed.input[0]
        fed.input[0] = inserted[-1].output[0]
        for each in reversed(inserted):
            suspect.graph.node.insert(place, each)

    return plant


def test_a_sound_file_has_no_node_at_fault() -> None:
    found = narrow()
    assert found.node is None
    assert found.compared == len(SEAMS)
    assert "departs from torch in the same way: the fault is in the exporter" in found.note
    assert found.note.endswith(f"to {TRACKS}")


@pytest.mark.parametrize(
    ("fault", "name", "op_type", "tensor", "part", "cause"),
    [
        (
            change_weight("cost.scale"),
            *("/cost_volume/Mul", "Mul", "/cost_volume/scaled", "cost volume"),
            "its weight cost.scale differs in 1 of 3 numbers, first at (1,): 2.25 where a fresh "
            "export has 2.0",
        ),
        (
            set_axis,
            *("/cost_volume/Softmax", "Softmax", COSTS.tensor, "cost volume"),
            "its axis is 0 where a fresh export has -1",
        ),
        (
            set_operator,
            *("/cost_volume/Softmax", "LogSoftmax", COSTS.tensor, "cost volume"),
            "it is a LogSoftmax where a fresh export has a Softmax",
        ),
        (
            swap_inputs,
            *("/refinement_0/move", "Sub", "tracks", "refinement 0: inputs and updates"),
            "its inputs are swapped: cost.middle, /refinement_0/pair; expected "
            "/refinement_0/pair, cost.middle",
        ),
        (
            insert(node("Neg", "/cost_volume/extra", ""), before="/cost_volume/Softmax"),
            *("/cost_volume/Softmax", "Softmax", COSTS.tensor, "cost volume"),
            "its input 0 is /cost_volume/extra (made by Neg); expected /cost_volume/scaled",
        ),
        (
            change_weight("encoder.gain"),
            *("/encoder/Mul", "Mul", "/encoder/gained", "backbone"),
            "its weight encoder.gain differs in 1 of 3 numbers, first at (1,): 1.75 where a fresh "
            "export has 1.5",
        ),
        (
            change_weight("encoder.bias", index=0),
            *("/encoder/Add", "Add", GRID.tensor, "backbone"),
            "its weight encoder.bias differs in 1 of 3 numbers, first at (0,): 0.375 where a fresh "
            "export has 0.125",
        ),
    ],
    ids=["weight", "attribute", "operator", "inputs", "extra-node", "scan-body", "scan-seam"],
)
def test_the_node_is_named(fault, name, op_type, tensor, part, cause) -> None:
    found = narrow(fault)
    assert found.node is not None
    assert (found.node.node, found.node.op_type, found.node.tensor) == (name, op_type, tensor)
    assert found.node.part == part
    assert found.node.causes == (cause,)
    assert found.node.difference.error > 0
    assert found.note == ""


def test_of_two_faults_the_first_is_named() -> None:
    def both(suspect: onnx.ModelProto) -> None:
        set_axis(suspect)
        change_weight("encoder.bias")(suspect)

    assert narrow(both).node.node == "/encoder/Add"


def test_the_place_and_the_size_of_the_difference() -> None:
    difference = narrow(change_weight("cost.middle", by=-0.5, index=0)).node.difference
    assert difference.index[1] == 0  # x of some frame
    assert difference.error == pytest.approx(0.5)
    assert difference.found - difference.expected == pytest.approx(0.5)


def test_another_shape_is_a_fault() -> None:
    def keep_one(suspect: onnx.ModelProto) -> None:
        kept = next(each for each in suspect.graph.initializer if each.name == "keep")
        kept.CopyFrom(numpy_helper.from_array(np.array([0]), "keep"))

    fault = narrow(keep_one).node
    assert fault.node == "/refinement_0/Add"
    assert np.isinf(fault.difference.error)
    assert fault.causes == (
        "its weight keep is int64 of shape (1,) where a fresh export has int64 of shape (2,)",
    )


def test_an_index_that_differs_by_one_is_a_fault() -> None:
    # Of 101 that is less than what the precision explains in other numbers.
    fault = narrow(change_weight("keep", by=1), precision="int8").node
    assert fault.node == "/refinement_0/Add"
    assert fault.causes == (
        "its weight keep differs in 1 of 2 numbers, first at (1,): 2 where a fresh export has 1",
    )


def test_only_values_between_agreeing_seams_and_the_first_that_differs_are_compared() -> None:
    # Of the Scan its input, what its body gives out and its output; then means and scaled.
    assert narrow(change_weight("cost.scale")).compared == 5
    # The indices raised and lowered again, the pair and the tracks.
    assert narrow(change_weight("cost.middle")).compared == 4
    extra = insert(node("Neg", "/cost_volume/extra", ""), before="/cost_volume/Softmax")
    assert narrow(extra).compared == 6  # the costs too; what only one file has does not count


def test_nothing_is_looked_for_behind_the_departing_seam() -> None:
    assert narrow(change_weight("cost.middle"), departing=COSTS).node is None
    assert narrow(change_weight("cost.middle"), departing=TRACKS).node is not None


def test_values_are_given_out_a_few_at_a_time(monkeypatch) -> None:
    at_once = narrow(set_axis)
    monkeypatch.setattr(narrowing, "_AT_ONCE", 1)
    assert narrow(set_axis) == at_once


def test_what_rounding_explains_in_a_smaller_precision_is_no_fault() -> None:
    slightly = change_weight("cost.middle", by=3e-4)
    assert narrow(slightly, precision="fp32").node.node == "/refinement_0/move"
    assert narrow(slightly, precision="fp16").node is None
    assert narrow(slightly, precision="int8").node is None
    clearly = change_weight("cost.middle", by=1e-2)
    assert narrow(clearly, precision="fp16").node.node == "/refinement_0/move"
    assert narrow(clearly, precision="int8").node is None
    assert narrow(change_weight("cost.middle"), precision="int8").node is not None


@pytest.mark.parametrize(("by", "at_fault"), [(0.5, False), (2.0, True)])
def test_what_is_explained_is_a_share_of_the_largest_value(by: float, at_fault: bool) -> None:
    suspect, fresh = tracker(), tracker()
    for each in (suspect, fresh):
        change_weight("cost.middle", by=1000)(each)  # half precision explains 1 of 1000
    change_weight("cost.middle", by=by)(suspect)
    found = find_node(studied(suspect), studied(fresh), probe(), SEAMS, TRACKS, "fp16")
    assert (found.node is not None) == at_fault


def test_an_overflow_that_only_this_file_has() -> None:
    grown = node("Mul", "/cost_volume/grown", "", "large", name="/cost_volume/grown")
    half = node(
        *("Cast", "/cost_volume/half", "/cost_volume/grown"),
        name="/cost_volume/to_half",
        to=TensorProto.FLOAT16,
    )
    back = node("Cast", "/cost_volume/float", "/cost_volume/half", to=TensorProto.FLOAT)

    def overflow(suspect: onnx.ModelProto) -> None:
        insert(grown, half, back, before="/cost_volume/Softmax")(suspect)
        large = np.array([1e6, 1e6, 1e6], np.float32)
        suspect.graph.initializer.append(numpy_helper.from_array(large, "large"))

    found = narrow(overflow, precision="fp16").node
    assert (found.tensor, found.op_type) == ("/cost_volume/half", "Cast")
    assert found.causes == ("float16 ends at 65504, and the value exceeds it",)
    assert found.difference.found == np.inf


def test_a_seam_that_no_node_makes() -> None:
    def store(suspect: onnx.ModelProto) -> None:
        suspect.graph.node.remove(named(suspect.graph, "/refinement_0/move"))
        stored = np.zeros((FRAMES, 2), np.float32)
        suspect.graph.initializer.append(numpy_helper.from_array(stored, "tracks"))

    found = narrow(store)
    assert (found.node, found.note) == (None, "no node of the file makes tracks")


def test_a_seam_that_the_file_holds_as_a_constant() -> None:
    def fold(suspect: onnx.ModelProto) -> None:
        stored = numpy_helper.from_array(np.zeros((FRAMES, 2), np.float32))
        constant = helper.make_node("Constant", [], ["tracks"], value=stored)
        named(suspect.graph, "/refinement_0/move").CopyFrom(constant)

    found = narrow(fold)
    assert found.node is None
    assert found.note.endswith("the difference is in nodes that only this file has")


def split_tracker() -> dict[FileRole, onnx.ModelProto]:
    """The same in two files; the seam of the encoder has the name that it has between them."""
    grid = (FRAMES, SIZE, SIZE, 3)
    encoder = model(
        [
            node("Reshape", "/encoder/frames", "video_input", "frame_shape"),
            node("Mul", "/encoder/gained", "/encoder/frames", "encoder.gain"),
            node("Neg", "grid_hires", "/encoder/gained", name="/encoder/Neg"),
        ],
        {
            "frame_shape": np.array(grid),
            "encoder.gain": np.array([0.5, 1.5, 2.5], np.float32),
        },
        {"video_input": (1, *grid)},
        {"grid_hires": None},
    )
    rest = model(cost_nodes("grid_hires"), COST_WEIGHTS, {"grid_hires": grid}, {"tracks": None})
    return {"encoder": encoder, "tracker": rest}


@pytest.mark.parametrize(
    ("role", "weight", "name"),
    [("encoder", 1, "/encoder/Mul"), ("tracker", 0, "/cost_volume/Mul")],
)
def test_a_node_of_one_file_of_a_split(role: FileRole, weight: int, name: str) -> None:
    graphs = split_tracker()
    changed = graphs[role].graph.initializer[weight]
    array = numpy_helper.to_array(changed) + np.float32(0.25)
    changed.CopyFrom(numpy_helper.from_array(array, changed.name))
    suspect, fresh = StudiedModel(graphs, "cpu"), StudiedModel(split_tracker(), "cpu")
    assert find_node(suspect, fresh, probe(), SEAMS, TRACKS, "fp32").node.node == name
