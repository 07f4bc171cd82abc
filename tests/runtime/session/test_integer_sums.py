"""Files whose weights use all 8 bits are run only where their sums do not overflow."""

from dataclasses import replace
from pathlib import Path

import pytest
from onnx import TensorProto, helper
from sample_reports import METADATA

from locoexport.contract.profile import IntegerForm
from locoexport.errors import ProviderUnavailableError
from locoexport.machine.hardware import read_cpu
from locoexport.runtime.session import integer_sums
from locoexport.runtime.session.integer_sums import adds_eight_bits, check_weight_bits

FULL, REDUCED = (
    replace(METADATA, precision="int8", integer_form=IntegerForm(("cmdtop",), bits))
    for bits in (8, 7)
)


def test_the_model_is_what_it_says() -> None:
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "probe",
        [
            helper.make_tensor_value_info("a", TensorProto.UINT8, [1, 64]),
            helper.make_tensor_value_info("b", TensorProto.INT8, [64, 16]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [1, 16])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
    assert model.SerializeToString() == integer_sums._MODEL


def test_a_processor_with_vnni_adds_them() -> None:
    cpu = read_cpu()
    if not (cpu.has("AVX-512 VNNI") or cpu.has("AVX VNNI")):
        pytest.skip("this processor has no VNNI, or does not say so")
    assert adds_eight_bits()


def test_where_sums_overflow_the_file_is_refused(monkeypatch) -> None:
    path = Path("int8.onnx")
    monkeypatch.setattr(integer_sums, "adds_eight_bits", lambda: False)
    with pytest.raises(ProviderUnavailableError, match="its tracks would be wrong") as caught:
        check_weight_bits(path, FULL, "cpu")
    assert caught.value.exit_code == 3
    for metadata, provider in ((REDUCED, "cpu"), (METADATA, "cpu"), (FULL, "openvino")):
        check_weight_bits(path, metadata, provider)
    monkeypatch.setattr(integer_sums, "adds_eight_bits", lambda: True)
    check_weight_bits(path, FULL, "cpu")
