"""Every graph of a model is walked: the main one, bodies in bodies, local functions."""

import onnx
import onnx.parser
from onnx import helper

from locoexport.graphs.walking import count_nodes, iterate_bodies, iterate_graphs, iterate_nodes

TEXT = """
<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
g (float[2] x, bool c) => (float[2] y)
{
  a = Abs(x)
  b = If <
    then_branch = yes () => (float[2] t) {
      t = If <
        then_branch = deep () => (float[2] d) { d = Exp(a) },
        else_branch = deeper () => (float[2] f) { f = Log(a) }
      >(c)
    },
    else_branch = no () => (float[2] e) { e = Sqrt(a) }
  >(c)
  y = local.chosen(b)
}
<domain: "local", opset_import: ["" : 17]>
chosen (v) => (w)
{
  k = Constant<value_int = 1>()
  c = Cast<to = 9>(k)
  w = If <
    then_branch = inside () => (float[2] i) { i = Sin(v) },
    else_branch = beside () => (float[2] o) { o = Cos(v) }
  >(c)
}
"""


def kinds(nodes) -> list[str]:
    return [node.op_type for node in nodes]


def test_every_node_is_met_once() -> None:
    model = onnx.parser.parse_model(TEXT)
    met = kinds(iterate_nodes(model))
    assert met[:3] == ["Abs", "If", "chosen"]
    assert sorted(met) == sorted(
        [
            *("Abs", "If", "chosen", "If", "Exp", "Log", "Sqrt"),
            *("Constant", "Cast", "If", "Sin", "Cos"),
        ]
    )
    assert count_nodes(model) == 12


def test_every_list_of_nodes_is_met_before_what_lies_in_it() -> None:
    model = onnx.parser.parse_model(TEXT)
    assert [kinds(nodes) for nodes in iterate_bodies(model)] == [
        ["Abs", "If", "chosen"],
        ["If"],
        *(["Exp"], ["Log"], ["Sqrt"]),
        ["Constant", "Cast", "If"],
        *(["Sin"], ["Cos"]),
    ]


def test_every_graph_is_met_and_can_be_changed() -> None:
    model = onnx.parser.parse_model(TEXT)
    graphs = list(iterate_graphs(model))
    assert graphs[0].name == "g"
    assert sorted(graph.name for graph in graphs) == sorted(
        ["g", "yes", "no", "deep", "deeper", "inside", "beside"]
    )
    for graph in graphs:
        graph.doc_string = "seen"
    assert model.SerializeToString().count(b"seen") == 7


def test_bodies_in_a_list_are_met() -> None:
    bodies = [
        helper.make_graph([helper.make_node(kind, ["x"], ["y"])], kind, [], [])
        for kind in ("Sin", "Cos")
    ]
    holder = helper.make_node("Holder", [], ["y"], bodies=bodies)
    model = helper.make_model(helper.make_graph([holder], "g", [], []))
    assert kinds(iterate_nodes(model)) == ["Holder", "Sin", "Cos"]
    assert [graph.name for graph in iterate_graphs(model)] == ["g", "Sin", "Cos"]


def test_an_empty_model_has_its_graph_and_no_node() -> None:
    assert count_nodes(onnx.ModelProto()) == 0
    assert len(list(iterate_graphs(onnx.ModelProto()))) == 1
