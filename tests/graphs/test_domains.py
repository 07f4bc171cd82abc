"""Both spellings of ONNX's own domain are one."""

import onnx
import pytest
from onnx import helper

from locoexport.graphs.domains import (
    default_version,
    imported_versions,
    plain_domain,
    qualified_name,
)


@pytest.mark.parametrize(
    ("domain", "plain", "name"),
    [
        ("", "", "Conv"),
        ("ai.onnx", "", "Conv"),
        ("ai.onnx.ml", "ai.onnx.ml", "ai.onnx.ml::Conv"),
        ("com.microsoft", "com.microsoft", "com.microsoft::Conv"),
    ],
)
def test_names(domain: str, plain: str, name: str) -> None:
    assert plain_domain(domain) == plain
    assert qualified_name(onnx.NodeProto(op_type="Conv", domain=domain)) == name


@pytest.mark.parametrize("spelling", ["", "ai.onnx"])
def test_imports_in_either_spelling(spelling: str) -> None:
    imports = [helper.make_opsetid(spelling, 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(helper.make_graph([], "g", [], []), opset_imports=imports)
    assert imported_versions(model) == {"": 17, "com.microsoft": 1}
    assert default_version({spelling: 17, "com.microsoft": 1}) == 17


def test_a_model_without_operators_of_onnx_is_at_none() -> None:
    assert default_version({"com.microsoft": 1}) == 0
