"""Names → parts of the model."""

from onnx import helper

from locoexport.inspection.parts import (
    BETWEEN,
    UNATTRIBUTED,
    Part,
    assign_parts,
    is_tracker,
    part_of_initializer,
)


def node(name: str, inputs: str = "", outputs: str = "out"):
    return helper.make_node("Op", inputs.split(), outputs.split(), name=name)


def parts(*names: str) -> list[Part]:
    nodes = [node(name, outputs=f"v{i}") for i, name in enumerate(names)]
    return assign_parts(nodes)


def test_scopes_of_the_tracker() -> None:
    assert parts(
        "/encoder/backbone/Conv",
        "/query_sampling/Gather_3",
        "/cost_volume/MatMul",
        "/refinement_2/correlation_hires/sampling/Gather",
        "/refinement_2/correlation_hires/cmdtop/MatMul",
        "/refinement_2/correlation_hires/cmdtop/cmdtop.0/conv.0/Conv",
        "/refinement_2/torch_pips_mixer/transformer/MatMul",
        "/refinement_2/Add_4",
        "/Pad",
    ) == [
        Part("backbone"),
        Part("query sampling"),
        Part("cost volume"),
        Part("sampling", 2),
        Part("correlation", 2),
        Part("cmdtop", 2),
        Part("transformer", 2),
        Part("inputs and updates", 2),
        BETWEEN,
    ]


def test_correlation_that_is_computed_within_cmdtop_s_first_layer() -> None:
    scope = "/refinement_0/correlation_hires/cmdtop/cmdtop.0"
    assert parts(f"{scope}/first/MatMul", f"{scope}/others.0/MatMul", f"{scope}/ReduceMean") == [
        Part("correlation with first layer", 0),
        Part("cmdtop", 0),
        Part("cmdtop", 0),
    ]


def test_new_nodes_belong_where_their_values_belong() -> None:
    nodes = [
        node("ReorderInput_token_1", "video", "r"),  # known by its reader alone
        node("/encoder/Conv", "r", "c"),
        node("ReorderOutput_token_2", "c", "/encoder/Conv_output_0"),
        node("Gemm_241", "q", "/refinement_1/torch_pips_mixer/MatMul_output_0"),
        node("Reshape_242", "/refinement_1/torch_pips_mixer/MatMul_output_0", "t"),
        node("Orphan", "from_nowhere", "to_nowhere"),
    ]
    backbone, transformer = Part("backbone"), Part("transformer", 1)
    assert assign_parts(nodes) == [
        backbone,
        backbone,
        backbone,
        transformer,
        transformer,
        UNATTRIBUTED,
    ]


def test_foreign_graphs_are_told_by_their_first_scope() -> None:
    nodes = [node("/head/conv/Conv", "x", "a"), node("Relu_1", "a", "b"), node("Plain", "z", "c")]
    assert not is_tracker(nodes)
    assert assign_parts(nodes) == [Part("head"), Part("head"), UNATTRIBUTED]


def test_weights_belong_to_their_readers() -> None:
    readers = [Part("transformer", 0), Part("transformer", 3), BETWEEN]
    assert part_of_initializer("w", readers) == Part("transformer")
    assert part_of_initializer("w", [Part("a"), Part("b")]) == Part("shared by several parts")
    assert part_of_initializer("head.conv.weight", []) == Part("head")
    assert part_of_initializer("w", []) == UNATTRIBUTED
