"""What a graph has to keep to before anything walks it."""

import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper

from locoexport.errors import ModelFileError
from locoexport.graphs.structure import bits_of, check_structure

ADD = helper.make_node("Add", ["x", "w"], ["y"])
COPY = helper.make_node("Identity", ["x"], ["y"])
BODY = helper.make_graph(
    [COPY],
    "body",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
)


def model(*nodes: onnx.NodeProto, tensors=(), version=17) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        list(nodes) or [COPY],
        "g",
        [value("x", TensorProto.FLOAT, [2])],
        [value("y", TensorProto.FLOAT, [2])],
        initializer=list(tensors),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])


def tensor(kind: int, dims: list[int], **data: object) -> TensorProto:
    return TensorProto(name="w", data_type=kind, dims=dims, **data)


def test_sound_models_pass() -> None:
    check_structure(model(), "m.onnx")
    check_structure(model(helper.make_node("Novel", ["x"], ["y"], domain="theirs")), "m.onnx")
    check_structure(model(helper.make_node("Novel", ["x"], ["y"]), version=2**31 - 1), "m.onnx")


FULL = [
    tensor(TensorProto.FLOAT, [2], raw_data=bytes(8)),
    tensor(TensorProto.FLOAT, [2], float_data=[1, 2]),
    tensor(TensorProto.FLOAT, [], float_data=[1]),
    tensor(TensorProto.FLOAT, [0, 2**40]),
    tensor(TensorProto.COMPLEX64, [2], float_data=[1, 2, 3, 4]),
    tensor(TensorProto.FLOAT16, [3], int32_data=[1, 2, 3]),
    tensor(TensorProto.INT4, [3], int32_data=[1, 2]),
    tensor(TensorProto.UINT4, [3], raw_data=bytes(2)),
    tensor(TensorProto.UINT2, [5], raw_data=bytes(2)),
    tensor(TensorProto.FLOAT6E2M3, [3], raw_data=bytes(3)),
    tensor(TensorProto.UINT64, [1], uint64_data=[1]),
    tensor(TensorProto.STRING, [2], string_data=[b"\xff", b""]),
]


@pytest.mark.parametrize("full", FULL, ids=lambda full: str(full.data_type))
def test_a_tensor_with_the_bytes_that_it_takes(full: TensorProto) -> None:
    check_structure(model(ADD, tensors=[full]), "m.onnx")


def test_what_the_checks_take_for_a_tensors_size_is_what_onnx_writes() -> None:
    for kind in sorted(set(TensorProto.DataType.values()) - {0, TensorProto.STRING}):
        written = helper.make_tensor("w", kind, [4], bytes(-(-4 * bits_of(kind) // 8)), raw=True)
        check_structure(model(ADD, tensors=[written]), "m.onnx")
        onnx.numpy_helper.to_array(written)


DAMAGED = [
    (tensor(TensorProto.FLOAT, [2], raw_data=bytes(3)), "has 3 bytes, and it takes 8"),
    (tensor(TensorProto.FLOAT, [2], raw_data=bytes(9)), "has 9 bytes, and it takes 8"),
    (tensor(TensorProto.FLOAT, [2], int64_data=[1, 2]), "has 0 entries of float_data"),
    (tensor(TensorProto.STRING, [2], string_data=[b"a"]), "has 1 entries of string_data"),
    (tensor(TensorProto.STRING, [2], raw_data=b"ab"), "text as raw bytes"),
    (tensor(0, [2], raw_data=bytes(8)), "element type 0, which does not exist"),
    (tensor(99, [2], raw_data=bytes(8)), "element type 99, which does not exist"),
    (tensor(TensorProto.FLOAT, [-1]), r"of shape \(-1\)"),
    (tensor(TensorProto.FLOAT, [2**62, 4]), "of shape"),
    (tensor(TensorProto.FLOAT, [0, 2**62, 2**62]), "of shape"),
    (tensor(TensorProto.FLOAT, [1] * 100, raw_data=bytes(4)), "has 100 axes"),
]


@pytest.mark.parametrize(("damaged", "says"), DAMAGED, ids=[says for _, says in DAMAGED])
def test_a_tensor_that_cannot_be(damaged: TensorProto, says: str) -> None:
    in_a_body = helper.make_graph([], "b", [], BODY.output, initializer=[damaged])
    branch = helper.make_node("If", ["x"], ["y"], then_branch=BODY, else_branch=in_a_body)
    constant = helper.make_node("Constant", [], ["y"], value=damaged)
    function = helper.make_function("d", "f", [], ["y"], [constant], [])
    called = model()
    called.functions.append(function)
    for made in (model(ADD, tensors=[damaged]), model(constant), model(branch), called):
        with pytest.raises(ModelFileError, match=rf"^m\.onnx is damaged: .*{says}"):
            check_structure(made, "m.onnx")


NODES = [
    (helper.make_node("Cast", ["x"], ["y"]), "Cast 'y' lacks its attribute to"),
    (helper.make_node("Cast", [], ["y"], to=1), "has 0 inputs, and the operator has 1"),
    (helper.make_node("Identity", ["x"], []), "has 0 outputs, and the operator has 1"),
    (helper.make_node("Identity", ["x"], [""]), "makes nothing"),
    (helper.make_node("Add", ["x", ""], ["y"]), "leaves its input 2 out"),
    (helper.make_node("Concat", ["x"], ["y"], axis="last"), "has axis as STRING"),
    (helper.make_node("GridSample", ["x", "x"], ["y"], mode=b"\xd9in"), "has mode .* not text"),
    (helper.make_node("Constant", [], ["y"]), "has 0 attributes"),
    (helper.make_node("If", ["x"], ["y"]), "lacks its attribute"),
    (helper.make_node("If", ["x"], ["y", "z"], then_branch=BODY, else_branch=BODY), "its body 1"),
    (helper.make_node("Loop", ["", "", "x"], ["y"], body=BODY), "its body 1"),
    (helper.make_node("Scan", ["x"], ["y"], body=BODY, num_scan_inputs=-5), "scans -5 of 1"),
    (helper.make_node("Scan", ["x", "x"], ["y"], body=BODY, num_scan_inputs=1), "body of 1 inputs"),
]


@pytest.mark.parametrize(("node", "says"), NODES, ids=[says for _, says in NODES])
def test_a_node_that_its_operator_does_not_take(node: onnx.NodeProto, says: str) -> None:
    with pytest.raises(ModelFileError, match=rf"^m\.onnx is damaged: .*{says}"):
        check_structure(model(node), "m.onnx")


def test_an_attribute_without_a_type_is_refused() -> None:
    untyped = helper.make_node("Novel", ["x"], ["y"], domain="theirs")
    untyped.attribute.append(AttributeProto(name="a"))
    with pytest.raises(ModelFileError, match="attribute 'a' has no type"):
        check_structure(model(untyped), "m.onnx")


def test_types_of_values_that_do_not_exist_are_refused() -> None:
    odd = model()
    odd.graph.value_info.add(name="v").type.sequence_type.elem_type.tensor_type.elem_type = 77
    with pytest.raises(ModelFileError, match="'v' is of element type 77"):
        check_structure(odd, "m.onnx")


@pytest.mark.parametrize("version", [-3, 0, 2**31, 2**60])
def test_versions_that_onnx_cannot_hold_are_refused(version: int) -> None:
    with pytest.raises(ModelFileError, match=rf"imports version {version} of ai\.onnx"):
        check_structure(model(version=version), "m.onnx")
    odd = model()
    odd.ir_version = 2**60
    with pytest.raises(ModelFileError, match="IR version"):
        check_structure(odd, "m.onnx")


def test_names_that_are_no_text_are_refused() -> None:
    # As a writer in another language may put them; protobuf gives them out as bytes.
    for sound, broken in ((b"Identity", b"Identi\xff\xfe"), (b"theirs", b"their\xff")):
        node = helper.make_node("Identity", ["x"], ["y"], domain="theirs")
        written = model(node).SerializeToString().replace(sound, broken)
        with pytest.raises(ModelFileError, match="is not text in UTF-8"):
            check_structure(onnx.ModelProto.FromString(written), "m.onnx")
