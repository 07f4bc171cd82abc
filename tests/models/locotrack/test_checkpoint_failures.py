"""A checkpoint that is damaged, hostile or of another network: one error that says what differs."""

import os
import pickle
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import save_lightning, seeded_state
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from locoexport.models import locotrack
from locoexport.models.locotrack import CheckpointError
from locoexport.models.locotrack.checkpoint import read_state_dict

WRITERS: dict[str, Callable[[dict[str, torch.Tensor], Path], Any]] = {
    "weights.safetensors": save_file,
    "weights.pt": torch.save,
    "weights.pth": lambda state, path: torch.save(
        state, path, _use_new_zipfile_serialization=False
    ),
    "last.ckpt": lambda state, path: save_lightning(path, state),
}


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return seeded_state()


def failure(path: Path, *arguments: Any) -> str:
    """The message; it is one line that names the file."""
    with pytest.raises(CheckpointError) as caught:
        locotrack.load_checkpoint(path, *arguments)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


class Payload:
    """Touches a file when it is unpickled without care."""

    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.touched}'",)


def test_missing_file(tmp_path: Path) -> None:
    assert "There is no checkpoint file" in failure(tmp_path / "no.ckpt")


def test_folder_and_impossible_name(tmp_path: Path) -> None:
    assert "There is no checkpoint file" in failure(tmp_path)
    assert "There is no checkpoint file" in failure(tmp_path / ("n" * 300))


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("file", WRITERS)
def test_truncated_file(file: str, kept: float, state, tmp_path: Path) -> None:
    path = tmp_path / file
    WRITERS[file](state, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert "truncated" in failure(path)


@pytest.mark.parametrize("file", WRITERS)
def test_garbage(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(np.random.default_rng(0).bytes(5000))
    message = failure(tmp_path / file)
    assert re.search(r"cannot be read as a checkpoint|is not a readable \.safetensors", message)


@given(position=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), legacy=st.booleans())
def test_a_changed_byte_never_escapes(position: float, byte: int, legacy: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.pt"
        document = {"state_dict": {"a": torch.ones(2)}, "lr": np.float64(1)}
        torch.save(document, path, _use_new_zipfile_serialization=not legacy)
        data = bytearray(path.read_bytes())
        data[int(position * len(data))] = byte
        path.write_bytes(data)
        with suppress(CheckpointError):
            state = read_state_dict(path)
            assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())


@pytest.mark.parametrize("form", ["zip", "legacy", "raw", "beside"])
def test_a_malicious_pickle_does_not_run(form: str, state, tmp_path: Path) -> None:
    path, touched = tmp_path / "evil.ckpt", tmp_path / "touched"
    payload = Payload(touched)
    if form == "raw":
        path.write_bytes(pickle.dumps(payload, 2))
    elif form == "beside":
        save_lightning(path, state, hyper_parameters={"x": payload})
    else:
        torch.save({"a": payload}, path, _use_new_zipfile_serialization=form == "zip")
    message = failure(path)
    assert f"asks for {os.system.__module__}.system" in message
    assert "could run code" in message
    assert not touched.exists()
    # The payload is a real one.
    pickle.loads(pickle.dumps(payload))
    assert touched.exists()


@pytest.mark.parametrize("function", [eval, getattr, __import__], ids=lambda f: f.__name__)
def test_builtins_that_could_run_code_are_refused(function: Any, tmp_path: Path) -> None:
    class Calls:
        def __reduce__(self) -> tuple[Any, ...]:
            return function, ("1", "2")

    torch.save({"a": Calls()}, tmp_path / "evil.pt")
    assert f"asks for {function.__name__}," in failure(tmp_path / "evil.pt")


def test_a_forged_numpy_dtype_reads_no_memory(state, tmp_path: Path) -> None:
    """An object dtype without its flags makes numpy take eight bytes for a pointer."""
    scalar = np.float64(0).__reduce__()[0]

    class ForgedType:
        def __reduce__(self) -> tuple[Any, ...]:
            return np.dtype, ("O8", False, True), (3, "|", None, None, None, -1, -1, 0)

    class ForgedScalar:
        def __reduce__(self) -> tuple[Any, ...]:
            return scalar, (ForgedType(), b"AAAAAAAA")

    path = save_lightning(tmp_path / "evil.ckpt", state, hyper_parameters={"x": ForgedScalar()})
    assert locotrack.load_checkpoint(path).config.name == "b0-tiny"


def test_wrong_variant(state, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "a.pt")
    message = failure(tmp_path / "a.pt", "b0")
    assert "holds 'b0-tiny' weights, not 'b0'" in message
    assert ": 78 shape: torch_pips_mixer." in message
    assert "attn.key_proj.bias (128,) instead of (256,) and 74 more" in message


def test_unknown_variant(state, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="no variant 'b9'; known are resnet-small"):
        locotrack.load_checkpoint(tmp_path / "a.pt", "b9")


def test_missing_key(state, tmp_path: Path) -> None:
    torch.save({k: v for k, v in state.items() if k != "occ_linear.bias"}, tmp_path / "a.pt")
    message = failure(tmp_path / "a.pt")
    assert message.endswith("against 'b0-tiny': 1 missing: occ_linear.bias.")


def test_unexpected_key(state, tmp_path: Path) -> None:
    torch.save(state | {"extra_convs.0.weight": torch.zeros(1)}, tmp_path / "a.pt")
    message = failure(tmp_path / "a.pt")
    assert message.endswith("against 'b0-tiny': 1 unexpected: extra_convs.0.weight.")


def test_misshaped_key(state, tmp_path: Path) -> None:
    torch.save(state | {"occ_linear.weight": torch.zeros(2, 7)}, tmp_path / "a.pt")
    message = failure(tmp_path / "a.pt")
    assert message.endswith("'b0-tiny': 1 shape: occ_linear.weight (2, 7) instead of (2, 6).")


def test_differences_are_told_against_the_variant_that_was_asked_for(state, tmp_path: Path) -> None:
    torch.save(state | {"extra": torch.zeros(1)}, tmp_path / "a.pt")
    message = failure(tmp_path / "a.pt", "b0")
    assert re.search(r"against 'b0': 1 unexpected: extra; \d+ shape: ", message)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("file", ["a.pt", "a.safetensors"])
def test_weights_that_are_no_numbers(file: str, value: float, state, tmp_path: Path) -> None:
    bad = state["cost_conv.weight"].clone()
    bad[0, 1, 2, 0] = value
    WRITERS["weights" + Path(file).suffix](state | {"cost_conv.weight": bad}, tmp_path / file)
    message = failure(tmp_path / file)
    assert message.endswith("holds NaN or infinite weights in 1 tensors: cost_conv.weight.")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (torch.zeros(3), "holds a Tensor; expected a state dict"),
        ([1, 2], "holds a list; expected a state dict"),
        ({"epoch": 3, "name": "x"}, "is not a state dict: epoch, name are not tensors"),
        ({"a": torch.zeros(1), "lr": 0.1}, "is not a state dict: lr is not a tensor"),
        ({"state_dict": {}}, "holds no state dict: its keys are state_dict"),
        ({"state_dict": 5, "epoch": 1}, "holds no state dict: its keys are state_dict, epoch"),
        ({"state_dict": {"a": np.zeros(3)}}, "is not a state dict: a is not a tensor"),
    ],
)
def test_not_a_state_dict(document: Any, says: str, tmp_path: Path) -> None:
    torch.save(document, tmp_path / "a.pt")
    assert says in failure(tmp_path / "a.pt")


def test_another_network(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(3, 2).state_dict(), tmp_path / "a.pt")
    message = failure(tmp_path / "a.pt")
    assert "the weights fit no variant" in message
    assert "2 unexpected: weight, bias" in message


def test_a_whole_module_instead_of_its_weights(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(3, 2), tmp_path / "module.pt")
    assert "asks for torch.nn.modules.linear.Linear" in failure(tmp_path / "module.pt")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda t: t.to(torch.float8_e4m3fn), "torch.float8_e4m3fn"),
        (lambda t: t.to(torch.float8_e5m2), "torch.float8_e5m2"),
        (lambda t: t.to(torch.complex64) * float("nan"), "torch.complex64"),
        (lambda t: t > 0, "torch.bool"),
        (lambda t: t.to(torch.uint16), "torch.uint16"),
        (lambda t: t.to_sparse(), r"sparse \(torch.sparse_coo\)"),
        (lambda t: torch.empty_like(t, device="meta"), r"without values here \(meta\)"),
        (lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8), r"quantised \(torch.qint8\)"),
        (lambda t: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]), "nested"),
    ],
    ids=range(9),
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_kinds_that_are_no_plain_numbers(make: Any, kind: str, state, tmp_path: Path) -> None:
    torch.save(state | {"cost_conv.weight": make(state["cost_conv.weight"])}, tmp_path / "a.pt")
    message = failure(tmp_path / "a.pt")
    assert re.search(f"tensor cost_conv.weight is {kind}, which is not read: expected f", message)


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.complex64, torch.bool])
def test_kinds_within_safetensors(kind: torch.dtype, state, tmp_path: Path) -> None:
    changed = state["cost_conv.weight"].to(kind)
    save_file(state | {"cost_conv.weight": changed}, tmp_path / "a.safetensors")
    message = failure(tmp_path / "a.safetensors")
    assert re.search(r"tensor cost_conv.weight is (F8_E4M3|C64|BOOL), which is not read", message)


def test_whole_numbers_are_no_weights(state, tmp_path: Path) -> None:
    whole = state["cost_conv.weight"].to(torch.int64)
    torch.save(state | {"cost_conv.weight": whole}, tmp_path / "a.pt")
    message = failure(tmp_path / "a.pt")
    assert message.endswith("is torch.int64; expected torch.float32, as the model has it.")


def test_values_that_are_infinite_only_once_they_are_cast(state, tmp_path: Path) -> None:
    large = state["cost_conv.weight"].double()
    large[0, 1, 2, 0] = 1e300
    torch.save(state | {"cost_conv.weight": large}, tmp_path / "a.pt")
    message = failure(tmp_path / "a.pt")
    assert message.endswith("holds NaN or infinite weights in 1 tensors: cost_conv.weight.")


def test_tensors_that_repeat_a_value_without_end(tmp_path: Path) -> None:
    alias = "efficientnet_feature_extractor."
    huge = torch.zeros(1).expand(10**12)
    torch.save({f"{alias}model.x": huge, f"{alias}x": huge}, tmp_path / "a.pt")
    assert "holds tensors of 8,000,000,000,000 bytes in " in failure(tmp_path / "a.pt")


@pytest.mark.parametrize("file", ["a.pt", "a.safetensors"])
def test_more_tensors_than_any_model_has(file: str, tmp_path: Path) -> None:
    state = {f"k{index}": torch.zeros(0) for index in range(11)}
    WRITERS["weights" + Path(file).suffix](state, tmp_path / file)
    assert len(read_state_dict(tmp_path / file, 11)) == 11
    with pytest.raises(CheckpointError, match=r"holds 11 tensors; .* at most 10 are read"):
        read_state_dict(tmp_path / file, 10)
