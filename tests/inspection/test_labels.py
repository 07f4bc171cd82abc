"""What reports call a node."""

from onnx import helper

from locoexport.inspection.labels import label_node


def test_a_name_is_the_label() -> None:
    assert label_node(helper.make_node("Conv", ["x", "w"], ["y"], name="stem/Conv")) == "stem/Conv"


def test_a_node_without_a_name_is_told_by_what_it_writes() -> None:
    split = helper.make_node("Split", ["x"], ["left", "right"])
    assert label_node(split) == "Split → left"
    assert label_node(split, every_output=True) == "Split → left, right"


def test_a_node_that_writes_nothing_is_told_by_its_kind_alone() -> None:
    silent = helper.make_node("Print", ["x"], [])
    assert label_node(silent, every_output=True) == "Print → "
    assert label_node(silent) == "Print → "
