"""Which IR version a model may be written at, and what keeps it above."""

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from locoexport.errors import GraphCheckFailedError, UsageError
from locoexport.lowering.opset.ir_version import (
    lower_ir_version,
    newer_uses,
    opset_ir_version,
    with_ir_version,
)

node, opset_id, value = helper.make_node, helper.make_opsetid, helper.make_tensor_value_info
RELU = node("Relu", ["x"], ["y"])


def model(*nodes, ir=10, opset=17, initializers=(), imports=(), functions=()) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes) or [RELU],
        "g",
        [value("x", TensorProto.FLOAT, [2])],
        [value("y", TensorProto.FLOAT, [2])],
        list(initializers),
    )
    return helper.make_model(
        graph,
        opset_imports=[opset_id("", opset), *(opset_id(*each) for each in imports)],
        functions=list(functions),
        ir_version=ir,
    )


def function(*nodes, attributes=(), **fields) -> onnx.FunctionProto:
    made = helper.make_function(
        "local", "f", ["a"], ["b"], list(nodes) or [node("Relu", ["a"], ["b"])], [opset_id("", 17)]
    )
    made.attribute.extend(attributes)
    for name, text in fields.items():
        setattr(made, name, text)
    return made


def tensor(kind: int, name: str = "w") -> TensorProto:
    return helper.make_tensor(name, kind, [2], np.zeros(2))


@pytest.mark.parametrize(("opset", "ir"), [(16, 8), (17, 8), (18, 8), (19, 9), (20, 9), (21, 10)])
def test_the_release_that_brought_an_opset(opset: int, ir: int) -> None:
    assert opset_ir_version(opset) == ir


@pytest.mark.parametrize(("before", "after"), [(3, 3), (7, 7), (8, 8), (9, 8), (10, 8), (14, 8)])
def test_it_comes_down_and_is_never_raised(before: int, after: int) -> None:
    made = model(ir=before)
    lowered = lower_ir_version(made, 17)
    assert (lowered.model.ir_version, lowered.held) == (after, "")
    assert (lowered.model is made) == (before == after)
    assert made.ir_version == before


def with_type(kind: str) -> onnx.ModelProto:
    number = TensorProto.DataType.Value(kind)
    return model(node("Cast", ["x"], ["q"], to=number), node("Cast", ["q"], ["y"], to=1), ir=14)


@pytest.mark.parametrize(
    ("kind", "ir"),
    [
        *((kind, 9) for kind in ("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ")),
        *(("INT4", 10), ("UINT4", 10), ("FLOAT4E2M1", 11), ("FLOAT8E8M0", 12), ("INT2", 13)),
        *(("FLOAT6E2M3", 14), ("BFLOAT16", 8), ("FLOAT16", 8), ("COMPLEX128", 8)),
    ],
)
def test_element_types_by_the_version_that_added_them(kind: str, ir: int) -> None:
    lowered = lower_ir_version(with_type(kind), 17)
    assert lowered.model.ir_version == ir
    assert (kind in lowered.held) == (ir > 8)


FLOAT8 = TensorProto.FLOAT8E4M3FN
SPARSE = onnx.SparseTensorProto(values=tensor(FLOAT8), dims=[9])
BODY = helper.make_graph([RELU], "body", [], [value("y", FLOAT8, None)], [tensor(FLOAT8)])


def with_optional_output() -> onnx.ModelProto:
    made = model()
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT8, None))
    made.graph.value_info.append(helper.make_value_info("z", kind))
    return made


def handed_on() -> onnx.ModelProto:
    """A function's parameter is the type that a Cast in another function makes."""
    cast, call = node("Cast", ["a"], ["b"]), node("f", ["a"], ["b"], domain="local")
    cast.attribute.add(name="to", ref_attr_name="kind", type=AttributeProto.INT)
    call.attribute.add(name="kind", ref_attr_name="outer", type=AttributeProto.INT)
    outer = function(call, attributes=["outer"], name="o")
    return model(
        node("o", ["x"], ["y"], domain="local", outer=FLOAT8),
        functions=[function(cast, attributes=["kind"]), outer],
    )


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(model(initializers=[tensor(FLOAT8)]), id="initializer"),
        pytest.param(model(node("Constant", [], ["y"], value=tensor(FLOAT8))), id="constant"),
        pytest.param(model(node("If", ["x"], ["y"], then_branch=BODY)), id="body"),
        pytest.param(model(node("Constant", [], ["y"], sparse_value=SPARSE)), id="sparse"),
        pytest.param(model(node("N", [], ["y"], domain="d", all=[tensor(FLOAT8)])), id="list"),
        pytest.param(
            model(functions=[function(node("Cast", ["a"], ["b"], to=FLOAT8))]), id="function"
        ),
        pytest.param(with_optional_output(), id="optional"),
        pytest.param(handed_on(), id="handed on"),
    ],
)
def test_element_types_are_found_wherever_they_lie(made: onnx.ModelProto) -> None:
    lowered = lower_ir_version(made, 17)
    assert lowered.model.ir_version == 9
    assert "element type FLOAT8E4M3FN" in lowered.held


def with_fields(made: onnx.ModelProto, fill) -> onnx.ModelProto:
    fill(made)
    return made


@pytest.mark.parametrize(
    ("made", "ir", "what"),
    [
        (model(initializers=[tensor(1)], opset=7), 4, "an initializer that is no input (w)"),
        (
            with_fields(model(opset=7), lambda m: m.graph.quantization_annotation.add()),
            *(5, "a quantization annotation (graph g)"),
        ),
        (
            with_fields(model(opset=7), lambda m: m.graph.sparse_initializer.add(values=tensor(1))),
            *(6, "a sparse initializer (graph g)"),
        ),
        (
            with_fields(model(opset=7), lambda m: m.training_info.add()),
            *(7, "training information"),
        ),
        (model(opset=7, functions=[function()]), 8, "a local function (f)"),
        (
            with_fields(
                model(functions=[function()]),
                lambda m: m.functions[0].attribute_proto.append(helper.make_attribute("a", 1)),
            ),
            *(9, "a function's default attribute (f)"),
        ),
        (model(functions=[function(overload="o")]), 10, "a function's overload (f)"),
        (
            with_fields(model(ir=14), lambda m: m.configuration.add(name="c", num_devices=2)),
            *(11, "a multi-device configuration (the model)"),
        ),
    ],
)
def test_what_a_version_added_keeps_a_model_above_the_one_before(made, ir: int, what: str) -> None:
    assert (what, ir) in [(f"{use.what} ({use.where})", use.since) for use in newer_uses(made)] or (
        what in {use.what for use in newer_uses(made)}
    )
    assert max(use.since for use in newer_uses(made)) == ir
    with pytest.raises((UsageError, GraphCheckFailedError)):
        with_ir_version(made, ir - 1)


def test_metadata_is_no_reason_and_stays() -> None:
    made = model()
    for owner in (made.graph, made.graph.node[0], made.graph.input[0]):
        owner.metadata_props.add(key="namespace", value="module.layer")
    lowered = lower_ir_version(made, 17)
    assert (lowered.model.ir_version, lowered.held) == (8, "")
    made.ir_version = 8
    assert lowered.model == made


def test_another_domain_keeps_its_own_version_and_an_unused_import_goes() -> None:
    ml = ("ai.onnx.ml", 5)
    used = model(
        node("Normalizer", ["x"], ["y"], domain="ai.onnx.ml"), imports=[ml, ("com.microsoft", 1)]
    )
    lowered = lower_ir_version(used, 17)
    assert lowered.model is used
    assert "opset 5 of ai.onnx.ml (the model's imports) is of IR version 10" in lowered.held
    lowered = lower_ir_version(model(imports=[ml, ("ai.onnx.ml", 3), ("com.microsoft", 1)]), 17)
    assert (lowered.model.ir_version, lowered.held) == (8, "")
    assert lowered.dropped_imports == ("ai.onnx.ml 5",)
    assert [entry.version for entry in lowered.model.opset_import] == [17, 3, 1]


@pytest.mark.parametrize("version", [8, 9, 10, 11, onnx.IR_VERSION])
def test_one_that_is_asked_for_is_written_up_or_down(version: int) -> None:
    made = model()
    assert with_ir_version(made, version).model.ir_version == version
    assert made.ir_version == 10


def test_one_that_cannot_be_is_refused_in_words() -> None:
    for unknown in (0, -1, onnx.IR_VERSION + 1):
        with pytest.raises(UsageError, match=f"--ir-version {unknown}: .* knows 1 to"):
            with_ir_version(model(), unknown)
    with pytest.raises(UsageError, match=r"opset 17 of ai\.onnx .*is of IR version 8.*--opset"):
        with_ir_version(model(), 7)
    message = r"IR version 8: element type INT4 \(Cast q\) is of IR version 10.*--ir-version 10"
    with pytest.raises(GraphCheckFailedError, match=message):
        with_ir_version(with_type("INT4"), 8)
    # A model that is there already is not judged.
    assert with_ir_version(model(ir=7), 7).model.ir_version == 7


def test_many_reasons_are_told_in_short() -> None:
    weights = [numpy_helper.from_array(np.zeros(1, np.float32), f"w{i}") for i in range(9)]
    made = model(initializers=[tensor(FLOAT8, weight.name) for weight in weights])
    assert "and 6 more" in lower_ir_version(made, 17).held
