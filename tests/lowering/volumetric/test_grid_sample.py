"""The pass on whole models: where nodes may be, what is known of them, and what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from sampling_graphs import (
    COMBINATIONS,
    LOWERINGS,
    TOLERANCE,
    make_model,
    run,
    sampling_model,
    torch_sample,
    trapped_grid,
)

import locoexport
from locoexport.errors import GraphCheckFailedError, ModelFileError
from locoexport.graphs.walking import iterate_nodes

SHAPES = ((2, 3, 4, 7, 5), (2, 3, 4, 6, 3))


def inputs(seed=0, shapes=SHAPES, align_corners=0):
    random = np.random.default_rng(seed)
    volume = random.standard_normal(shapes[0], dtype=np.float32)
    return volume, trapped_grid(random, shapes[0][2:], shapes[1][:-1], align_corners)


def op_types(model):
    return [node.op_type for node in iterate_nodes(model)]


@pytest.mark.parametrize("to", LOWERINGS)
@pytest.mark.parametrize(("mode", "padding", "align_corners"), COMBINATIONS)
def test_large_shapes_stay_within_the_tolerance(mode, padding, align_corners, to):
    """Where slices folded into one image's height are 1.4e-3 off."""
    shapes = ((1, 2, 128, 128, 16), (1, 10, 20, 5, 3))
    volume, grid = inputs(shapes=shapes, align_corners=align_corners)
    grid[:, :5] = np.random.default_rng(1).uniform(-1, 1, grid[:, :5].shape)
    model = sampling_model(mode, padding, align_corners, *shapes)
    rewritten = locoexport.rewrite(model, to=to).model
    error = np.abs(
        run(rewritten, volume=volume, grid=grid)[0] - run(model, volume=volume, grid=grid)[0]
    )
    assert error.max() <= (0 if mode == "nearest" else 2e-5)


@pytest.mark.parametrize("to", LOWERINGS)
@pytest.mark.parametrize("opset", [16, 17, 18, 19, 20, 21, 22, 23, onnx.defs.onnx_opset_version()])
def test_every_opset(opset, to):
    mode = "bilinear" if opset < 20 else "linear"
    model = sampling_model(mode, "border", 1, *SHAPES, opset=opset)
    report = locoexport.rewrite(model, to=to)
    assert report.passed
    assert report.worst_error is not None
    assert report.worst_error < 2e-6
    assert report.opset_after == opset
    onnx.checker.check_model(report.model, full_check=True)
    modes = [
        attribute.s.decode()
        for node in report.model.graph.node
        if node.op_type == "GridSample"
        for attribute in node.attribute
        if attribute.name == "mode"
    ]
    # From 20 on linear is the default and goes unsaid: older OpenVINO refuse the word.
    assert modes == (["bilinear"] if to == "planar" and opset < 20 else [])


@pytest.mark.parametrize(
    ("mode", "opset"), [(None, 16), (None, 20), ("linear", 22), ("bilinear", 20), ("linear", 17)]
)
def test_every_spelling_of_linear(mode, opset):
    """Defaults are linear, zeros, 0; some exporters write the spelling of another opset."""
    volume, grid = inputs()
    report = locoexport.rewrite(sampling_model(mode, None, None, opset=opset))
    expected = torch_sample(volume, grid, "linear", "zeros", 0)
    found = run(report.model, volume=volume, grid=grid)[0]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_huge_coordinates_are_what_the_specification_says():
    """ONNX Runtime's own kernel returns 0 here: its weights cancel beyond 2²⁴."""
    volume, _ = inputs()
    for to in LOWERINGS:
        rewritten = locoexport.rewrite(sampling_model("linear", "border", 0), to=to).model
        for value, cell in ((1e12, -1), (-1e12, 0), (3e38, -1)):
            grid = np.full((2, 1, 1, 1, 3), value, np.float32)
            found = run(rewritten, volume=volume, grid=grid)[0][..., 0, 0, 0]
            np.testing.assert_array_equal(found, volume[..., cell, cell, cell])


def test_planar_slices_the_shortest_known_axis():
    def sliced(shape):
        report = locoexport.rewrite(sampling_model("linear", "zeros", 0, shape), to="planar")
        return report.rewritten[0].after

    assert sliced((1, 2, 9, 4, 6)) == "planar, slices of H (4)"
    assert sliced((1, 2, 9, 8, 6)) == "planar, slices of W (6)"
    assert sliced((1, 2, 5, 5, 5)) == "planar, slices of D (5)"
    assert sliced((1, 2, "d", 8, "w")) == "planar, slices of H (8)"
    assert sliced((None,) * 5) == "planar, slices of D (unknown)"


def test_gather_has_no_gridsample_and_integer_indices():
    model = sampling_model("linear", "reflection", 0, dtype=TensorProto.FLOAT16)
    rewritten = locoexport.rewrite(model).model
    inferred = onnx.shape_inference.infer_shapes(rewritten, strict_mode=True, data_prop=True)
    types = {v.name: v.type.tensor_type.elem_type for v in inferred.graph.value_info}
    assert "GridSample" not in op_types(rewritten)
    for node in rewritten.graph.node:
        if node.op_type == "Gather" and node.input[0] != "volume":
            assert types[node.input[1]] == TensorProto.INT64
        if node.op_type in ("Floor", "Round", "Mod", "Mul", "Sub"):
            assert types[node.output[0]] != TensorProto.FLOAT16


def test_a_mask_of_integers_is_gathered():
    random = np.random.default_rng(0)
    volume = random.integers(0, 9, SHAPES[0])
    grid = random.uniform(-1.5, 1.5, SHAPES[1]).astype(np.float32)
    model = sampling_model(
        "nearest", "zeros", 0, dtype=TensorProto.INT64, grid_dtype=TensorProto.FLOAT
    )
    report = locoexport.rewrite(model)
    found = run(report.model, volume=volume, grid=grid)[0]
    expected = torch_sample(volume.astype(np.float32), grid, "nearest", "zeros", 0)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(GraphCheckFailedError, match="--to gather"):
        locoexport.rewrite(model, to="planar")


@pytest.mark.parametrize("to", LOWERINGS)
@pytest.mark.parametrize("types", [(1, 11), (11, 1), (16, 16), (1, 16), (10, 1), (1, 10)])
def test_unequal_and_rare_types_are_proven(types, to):
    model = sampling_model("linear", "reflection", 1, opset=22, dtype=types[0], grid_dtype=types[1])
    assert locoexport.rewrite(model, to=to).passed


NESTED = """
<ir_version: 10, opset_import: ["": 20]>
nested (float[2,3,4,7,5] volume, float[2,3,4,6,3] grid, bool which, int64 times)
   => (float[?,?,?,?,?] sampled) {
   outer = Neg (volume)
   one = If (which) <
      then_branch = yes () => (float[2,3,3,4,6] a) {
         a = GridSample <padding_mode = "border"> (outer, grid)
      },
      else_branch = no () => (float[2,3,3,4,6] b) {
         b = GridSample <mode = "nearest"> (outer, grid)
      }
   >
   true = Constant <value = bool {1}> ()
   zero = Sub (one, one)
   sum = Loop (times, true, zero) <
      body = step (int64 i, bool c, float[2,3,3,4,6] so_far) => (bool d, float[2,3,3,4,6] next) {
         d = Identity (c)
         inner = GridSample <align_corners = 1> (outer, grid)
         next = Add (so_far, inner)
      }
   >
   sampled = Add (one, sum)
}
"""


@pytest.mark.parametrize("to", LOWERINGS)
def test_bodies_of_if_and_loop(to):
    model = parser.parse_model(NESTED)
    report = locoexport.rewrite(model, to=to)
    volume, grid = inputs()
    assert len(report.rewritten) == 3
    assert op_types(report.model).count("GridSample") == (3 if to == "planar" else 0)
    onnx.checker.check_model(report.model, full_check=True)
    for which in (True, False):
        given = {"which": np.array(which), "times": np.array(2)}
        expected = run(model, volume=volume, grid=grid, **given)[0]
        found = run(report.model, volume=volume, grid=grid, **given)[0]
        np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_body_of_scan():
    body = helper.make_graph(
        [
            helper.make_node("GridSample", ["kept", "slice"], ["got"], padding_mode="border"),
            helper.make_node("Identity", ["kept"], ["kept_on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("kept", TensorProto.FLOAT, [2, 3, 4, 7, 5]),
            helper.make_tensor_value_info("slice", TensorProto.FLOAT, [2, 3, 4, 6, 3]),
        ],
        [
            helper.make_tensor_value_info("kept_on", TensorProto.FLOAT, [2, 3, 4, 7, 5]),
            helper.make_tensor_value_info("got", TensorProto.FLOAT, [2, 3, 3, 4, 6]),
        ],
    )
    scan = helper.make_node("Scan", ["volume", "grid"], ["last", "sampled"], body=body)
    scan.attribute.append(helper.make_attribute("num_scan_inputs", 1))
    graph = helper.make_graph(
        [scan],
        "graph",
        [
            helper.make_tensor_value_info("volume", TensorProto.FLOAT, [2, 3, 4, 7, 5]),
            helper.make_tensor_value_info("grid", TensorProto.FLOAT, [3, 2, 3, 4, 6, 3]),
        ],
        [
            helper.make_tensor_value_info("last", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("sampled", TensorProto.FLOAT, None),
        ],
    )
    model = make_model(graph)
    volume, grid = inputs()
    grids = np.stack([grid, -grid, grid * 0.5])
    report = locoexport.rewrite(model)
    assert "GridSample" not in op_types(report.model)
    expected, found = (run(m, volume=volume, grid=grids)[1] for m in (model, report.model))
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


FUNCTIONS = """
<ir_version: 10, opset_import: ["": 20, "local": 1]>
calls (float[2,3,4,7,5] volume, float[2,3,4,6,3] grid, float[1,2,5,5] image, float[1,3,3,2] flat)
   => (float[?,?,?,?,?] sampled, float[?,?,?,?] plane, float[?,?,?,?] other) {
   sampled = local.Outer (volume, grid)
   plane = local.Plane (image, flat)
   other = local.Sample <how: string = "nearest"> (image, flat)
}
<domain: "local", opset_import: ["": 20, "local": 1]>
Outer (x, g) => (y) { t = Neg (x) y = local.Sample <how: string = "linear"> (t, g) }
<domain: "local", opset_import: ["": 20]>
Sample <how> (x, g) => (y) {
   y = GridSample <mode: string = @how, padding_mode: string = "border"> (x, g)
}
<domain: "local", opset_import: ["": 20]>
Plane (x, g) => (y) { y = GridSample <padding_mode: string = "reflection"> (x, g) }
"""


def test_functions_that_sample_volumes_are_written_out():
    model = parser.parse_model(FUNCTIONS)
    report = locoexport.rewrite(model)
    assert report.inlined_functions == ("local.Outer", "local.Sample")
    assert [function.name for function in report.model.functions] == ["Plane"]
    # What samples planes stays: inside its function, and where the shared function was written out.
    assert op_types(report.model).count("GridSample") == 2
    volume, grid = inputs()
    given = {
        "image": volume[:1, :2, 0, :5, :5],
        "flat": grid[:1, :3, :3, 0, :2],
        "volume": volume,
        "grid": grid,
    }
    for expected, found in zip(run(model, **given), run(report.model, **given), strict=True):
        np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_functions_that_only_sample_planes_stay():
    text = FUNCTIONS.replace(
        "   sampled = local.Outer (volume, grid)\n", "   sampled = Neg (volume)\n"
    )
    text = (
        text[: text.index('<domain: "local", opset_import: ["": 20, "local": 1]>\nOuter')]
        + text[text.index('<domain: "local", opset_import: ["": 20]>\nSample') :]
    )
    model = parser.parse_model(text)
    report = locoexport.rewrite(model)
    assert not report.changed
    assert report.model is model


def test_shared_grid_initializers_and_names_that_are_taken():
    volume, grid = inputs()
    nodes = [
        helper.make_node("GridSample", ["volume", "grid"], ["a"]),
        helper.make_node("GridSample", ["volume", "grid"], ["b"], mode="nearest"),
        helper.make_node("Identity", ["volume"], ["a/Shape_output"], name="a/Cast"),
        helper.make_node("Sub", ["a", "b"], ["sampled"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [],
        [
            helper.make_tensor_value_info("sampled", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("a/Shape_output", TensorProto.FLOAT, None),
        ],
        initializer=[
            numpy_helper.from_array(volume, "volume"),
            numpy_helper.from_array(grid, "grid"),
        ],
    )
    model = make_model(graph)
    for to in LOWERINGS:
        report = locoexport.rewrite(model, to=to)
        assert len(report.rewritten) == 2
        names = [name for node in report.model.graph.node for name in node.output]
        assert len(names) == len(set(names))
        expected, found = run(model)[0], run(report.model)[0]
        np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("to", LOWERINGS)
def test_initializers_that_are_inputs_may_still_be_overridden(to):
    """What a caller may pass in place of an initializer must not become part of the graph."""
    model = sampling_model("linear", "border", 0, *SHAPES)
    volume, grid = inputs()
    model.graph.initializer.append(numpy_helper.from_array(volume, "volume"))
    model.graph.initializer.append(numpy_helper.from_array(grid, "grid"))
    rewritten = locoexport.rewrite(model, to=to).model
    assert [value.name for value in rewritten.graph.input] == ["volume", "grid"]
    other_volume, other_grid = inputs(seed=5)
    for given in ({}, {"grid": other_grid}, {"volume": other_volume, "grid": other_grid}):
        expected, found = run(model, **given)[0], run(rewritten, **given)[0]
        np.testing.assert_allclose(found, expected, atol=TOLERANCE)


DEEP = """
<ir_version: 10, opset_import: ["": 20, "local": 1]>
deep (float[2,3,4,7,5] volume, float[2,3,4,6,3] grid, bool which, int64 times)
   => (float[?,?,?,?,?] sampled) {
   sampled = local.Outer (volume, grid, which, times)
}
<domain: "local", opset_import: ["": 20, "local": 1]>
Outer (x, g, which, times) => (y) {
   true = Constant <value = bool {1}> ()
   start = GridSample <padding_mode = "reflection"> (x, g)
   y = Loop (times, true, start) <
      body = step (int64 i, bool c, float[2,3,3,4,6] so_far) => (bool d, float[2,3,3,4,6] next) {
         d = Identity (c)
         added = If (which) <
            then_branch = yes () => (float[2,3,3,4,6] p) { p = local.Sample (x, g) },
            else_branch = no () => (float[2,3,3,4,6] q) {
               q = GridSample <mode = "nearest", align_corners = 1> (x, g)
            }
         >
         next = Add (so_far, added)
      }
   >
}
<domain: "local", opset_import: ["": 20]>
Sample (x, g) => (y) { y = GridSample <padding_mode = "border"> (x, g) }
"""


@pytest.mark.parametrize("to", LOWERINGS)
def test_one_grid_for_functions_in_branches_in_loops_in_functions(to):
    model = parser.parse_model(DEEP)
    report = locoexport.rewrite(model, to=to)
    assert report.inlined_functions == ("local.Outer", "local.Sample")
    assert len(report.rewritten) == 3
    assert report.passed
    volume, grid = inputs()
    for which in (True, False):
        given = {"which": np.array(which), "times": np.array(3), "volume": volume, "grid": grid}
        expected, found = run(model, **given)[0], run(report.model, **given)[0]
        np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_an_unknown_rank_in_a_body_is_refused():
    text = NESTED.replace("outer = Neg (volume)", "outer = custom.Opaque (volume)").replace(
        '["": 20]', '["": 20, "custom": 1]'
    )
    model = parser.parse_model(text)
    model.graph.input[1].type.tensor_type.ClearField("shape")
    bodies = [attribute.g for node in model.graph.node for attribute in node.attribute]
    stating = [value for body in bodies for value in (*body.input, *body.output)]
    # One stated rank tells those of all that samples the same volume.
    assert locoexport.rewrite(model, check=False).changed
    for value in stating:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.ClearField("shape")
    with pytest.raises(GraphCheckFailedError, match=r"unknown (rank|element type)"):
        locoexport.rewrite(model)


def test_what_is_not_touched_survives():
    model = sampling_model("linear", "border", 0, *SHAPES)
    model.producer_name, model.doc_string = "someone", "words"
    model.metadata_props.add(key="author", value="someone")
    graph = model.graph
    graph.doc_string = "more words"
    graph.node.append(helper.make_node("Relu", ["sampled"], ["kept"], doc_string="mine", name="r"))
    graph.node[-1].metadata_props.add(key="layer", value="7")
    graph.output.append(helper.make_tensor_value_info("kept", TensorProto.FLOAT, [None] * 5))
    graph.value_info.append(helper.make_tensor_value_info("sampled", TensorProto.FLOAT, None))
    graph.quantization_annotation.add(tensor_name="kept")
    sparse = graph.sparse_initializer.add()
    sparse.values.CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), "sparse"))
    sparse.indices.CopyFrom(numpy_helper.from_array(np.zeros(1, np.int64), "sparse_indices"))
    sparse.dims.append(3)
    before = model.SerializeToString(deterministic=True)

    rewritten = locoexport.rewrite(model, check=False).model

    assert model.SerializeToString(deterministic=True) == before
    new_nodes = {node.output[0]: node for node in rewritten.graph.node}
    assert new_nodes["kept"] == graph.node[-1]
    for field in ("input", "output", "value_info", "quantization_annotation", "sparse_initializer"):
        assert list(getattr(rewritten.graph, field)) == list(getattr(graph, field))
    assert rewritten.graph.doc_string == "more words"
    assert rewritten.metadata_props == model.metadata_props
    assert (rewritten.producer_name, rewritten.doc_string) == ("someone", "words")


def test_nothing_to_do_is_the_same_model():
    model = sampling_model("linear", "zeros", 0, (1, 2, 5, 6), (1, 3, 4, 2))
    report = locoexport.rewrite(model)
    assert report.model is model
    assert not report.changed
    assert report.rewritten == ()


def test_rewriting_twice_changes_nothing_more():
    for to in LOWERINGS:
        once = locoexport.rewrite(sampling_model("linear", "border", 0), to=to)
        assert not locoexport.rewrite(once.model, to=to).changed


@pytest.mark.parametrize("mode", ["cubic", "bicubic"])
def test_cubic_volumes_are_refused(mode):
    with pytest.raises(ModelFileError, match="undefined"):
        locoexport.rewrite(sampling_model(mode, "zeros", 0))


def test_unknown_rank_is_refused_and_never_skipped():
    model = sampling_model("linear", "zeros", 0)
    del model.graph.node[:]
    model.graph.node.extend(
        [
            helper.make_node("Opaque", ["volume"], ["x"], domain="custom"),
            helper.make_node("Opaque", ["grid"], ["g"], domain="custom"),
            helper.make_node("GridSample", ["x", "g"], ["y"], name="blind"),
            helper.make_node("Opaque", ["y"], ["sampled"], domain="custom"),
        ]
    )
    model.opset_import.append(helper.make_opsetid("custom", 1))
    with pytest.raises(GraphCheckFailedError, match=r"'blind'.*unknown rank"):
        locoexport.rewrite(model)
    # A known rank of the grid is enough, with a type for the volume.
    model.graph.value_info.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, None))
    model.graph.value_info.append(helper.make_tensor_value_info("g", TensorProto.FLOAT, [None] * 5))
    assert "GridSample" not in op_types(locoexport.rewrite(model, check=False).model)


def test_linear_sampling_of_integers_is_refused():
    model = sampling_model(
        "linear", "zeros", 0, dtype=TensorProto.INT32, grid_dtype=TensorProto.FLOAT
    )
    with pytest.raises(GraphCheckFailedError, match="INT32"):
        locoexport.rewrite(model)


def test_a_single_cell_reflects_onto_itself():
    """A period of length 0: nothing to divide by."""
    for to in LOWERINGS:
        for shape in ((1, 1, 1, 1, 1), (None,) * 5):
            model = sampling_model("linear", "reflection", 1, shape)
            rewritten = locoexport.rewrite(model, to=to).model
            grid = np.array([-9, -1, 0, 0.3, 1, 7], np.float32).repeat(3).reshape(1, 6, 1, 1, 3)
            volume = np.full((1, 1, 1, 1, 1), 4.5, np.float32)
            assert (run(rewritten, volume=volume, grid=grid)[0] == 4.5).all()


EMPTY = {
    "batch": ((0, 3, 4, 5, 6), (0, 2, 1, 1, 3)),
    "channels": ((2, 0, 4, 5, 6), (2, 2, 1, 1, 3)),
    "points": ((2, 9, 4, 5, 6), (2, 0, 1, 1, 3)),
    "channels of one": ((1, 0, 4, 5, 6), (1, 2, 1, 1, 3)),
}


@pytest.mark.parametrize("to", LOWERINGS)
@pytest.mark.parametrize("name", EMPTY)
def test_empty_batches_channels_and_grids(name, to):
    """All axes open, stated, and with the batch alone open, as ONNX Runtime's own kernel does."""
    volume, grid = EMPTY[name]
    opened = [("n", *shape[1:]) for shape in EMPTY[name]]
    for mode, padding in (("linear", "zeros"), ("linear", "reflection"), ("nearest", "border")):
        for stated in ((), (volume, grid), opened):
            model = sampling_model(mode, padding, 0, *stated)
            rewritten = locoexport.rewrite(model, to=to).model
            given = {"volume": np.zeros(volume, np.float32), "grid": np.zeros(grid, np.float32)}
            (expected,), (found,) = run(model, **given), run(rewritten, **given)
            assert found.shape == expected.shape == (*volume[:2], *grid[1:4])


@pytest.mark.parametrize("to", LOWERINGS)
def test_a_volume_without_cells_is_refused_as_by_onnxruntime(to):
    volume, grid = (2, 3, 4, 0, 6), (2, 2, 1, 1, 3)
    with pytest.raises(ModelFileError, match=r"'sample'.*without cells, \(4, 0, 6\)"):
        locoexport.rewrite(sampling_model("linear", "border", 0, volume, grid), to=to)
    model = sampling_model("linear", "border", 0)
    given = {"volume": np.zeros(volume, np.float32), "grid": np.zeros(grid, np.float32)}
    for tried in (model, locoexport.rewrite(model, to=to).model):
        with pytest.raises(Exception, match=r"must be non-empty|out of data bounds|Out of range"):
            run(tried, **given)


LAYOUTS = {
    "cells": ((3, 9, 2, 3, 4), (3, 4, 3, 4, 3)),
    "cells of one volume": ((1, 9, 2, 3, 4), (1, 4, 3, 4, 3)),
    "channels": ((3, 5, 2, 3, 4), (3, 4, 3, 4, 3)),
    "one row": ((3, 9, 8, 9, 7), (3, 2, 1, 3, 3)),
    "one volume": ((1, 3, 8, 9, 7), (1, 2, 1, 3, 3)),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize(("mode", "padding", "align_corners"), COMBINATIONS)
def test_layouts_give_the_same_bits(mode, padding, align_corners, name):
    """The sums are the same, whatever is known: of one sample, and of all sizes or none."""
    shapes = LAYOUTS[name]
    volume, grid = inputs(shapes=shapes, align_corners=align_corners)
    stated = sampling_model(mode, padding, align_corners, *shapes)
    channels_known = [("n", shapes[0][1], "d", "h", "w"), ("n", "a", "b", "c", 3)]
    found = [
        run(locoexport.rewrite(model, check=False).model, volume=volume, grid=grid)[0]
        for model in (
            stated,
            sampling_model(mode, padding, align_corners),
            sampling_model(mode, padding, align_corners, *channels_known),
        )
    ]
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
    expected = run(stated, volume=volume, grid=grid)[0]
    np.testing.assert_allclose(found[0], expected, atol=TOLERANCE)


@pytest.mark.parametrize("channels", [3, 64])
@pytest.mark.parametrize("batch", [4, "n"])
def test_many_points_of_a_batch_have_one_index_for_all_channels(batch, channels):
    model = sampling_model(
        "linear", "border", 0, (batch, channels, 8, 40, 60), (batch, 7, 64, 128, 3)
    )
    rewritten = locoexport.rewrite(model, check=False).model
    inferred = onnx.shape_inference.infer_shapes(rewritten, strict_mode=True, data_prop=True)
    integers = [
        [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in inferred.graph.value_info
        if value.type.tensor_type.elem_type == TensorProto.INT64
    ]
    assert max(map(len, integers)) >= 4  # indices are among them
    assert not [shape for shape in integers if len(shape) > 1 and channels in shape[1:2]]
