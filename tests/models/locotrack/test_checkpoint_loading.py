"""Checkpoints as they come: formats, prefixes, aliases, trainer state, half precision."""

import argparse
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import save_lightning, seeded_state
from safetensors.torch import save_file

from locoexport.models import locotrack
from locoexport.models.locotrack.checkpoint import read_state_dict
from locoexport.models.locotrack.fitting import identify_variant

BACKBONE = "efficientnet_feature_extractor."


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return seeded_state()


def check_holds(model: locotrack.LocoTrack, state: dict[str, torch.Tensor]) -> None:
    loaded = model.state_dict()
    assert loaded.keys() == state.keys()
    for name, tensor in state.items():
        assert torch.equal(loaded[name], tensor), name


def write(path: Path, state: dict[str, torch.Tensor], form: str) -> Path:
    if form == "safetensors":
        save_file(state, path)
    elif form == "lightning":
        save_lightning(path, state)
    else:
        legacy = form == "legacy"
        torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize(
    ("file", "form"),
    [
        ("weights.safetensors", "safetensors"),
        ("weights.pt", "plain"),
        ("weights.pth", "legacy"),
        ("last.ckpt", "lightning"),
    ],
)
def test_every_format_loads_in_eval_mode(file: str, form: str, state, tmp_path: Path) -> None:
    model = locotrack.load_checkpoint(str(write(tmp_path / file, state, form)))
    assert model.config == locotrack.VARIANTS["b0-tiny"]
    assert not any(module.training for module in model.modules())
    check_holds(model, state)


def test_hyper_parameters_of_other_libraries(state, tmp_path: Path) -> None:
    path = save_lightning(tmp_path / "a.ckpt", state, hyper_parameters=argparse.Namespace(lr=1.0))
    check_holds(locotrack.load_checkpoint(path), state)


@pytest.mark.parametrize(
    ("here", "elsewhere"),
    [
        (b"numpy._core.multiarray", b"numpy.core.multiarray"),
        (b"pathlib\nPosixPath", b"pathlib._local\nPosixPath"),
        (b"pathlib\nPosixPath", b"pathlib\nWindowsPath"),
    ],
)
def test_trainer_state_written_on_another_machine(
    here: bytes, elsewhere: bytes, state, tmp_path: Path
) -> None:
    """numpy 1, Python 3.13 and Windows name the same things differently."""
    path = tmp_path / "last.ckpt"
    extras = {"score": np.float64(1), "dirpath": Path("/runs")}
    torch.save({"state_dict": state, **extras}, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    assert data.count(here) >= 1
    path.write_bytes(data.replace(here, elsewhere))
    check_holds(locotrack.load_checkpoint(path), state)


def test_only_the_leading_prefix_is_stripped_and_once(tmp_path: Path) -> None:
    names = ["model.a.model.b", "model.model.c"]
    torch.save({name: torch.zeros(1) for name in names}, tmp_path / "a.pt")
    assert set(read_state_dict(tmp_path / "a.pt")) == {"a.model.b", "model.c"}


def test_no_prefix_is_stripped_where_not_every_key_has_it(tmp_path: Path) -> None:
    torch.save({"model.a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "a.pt")
    assert set(read_state_dict(tmp_path / "a.pt")) == {"model.a", "b"}


def test_an_alias_of_the_backbone_stands_for_it(state, tmp_path: Path) -> None:
    aliased = {name.replace(BACKBONE, BACKBONE + "model."): t for name, t in state.items()}
    assert aliased.keys() != state.keys()
    check_holds(locotrack.load_checkpoint(save_lightning(tmp_path / "a.ckpt", aliased)), state)


def test_a_tensor_under_both_names_is_loaded_once(state, tmp_path: Path) -> None:
    both = {name.replace(BACKBONE, BACKBONE + "model."): t for name, t in state.items()} | state
    assert len(both) > len(state)
    check_holds(locotrack.load_checkpoint(save_lightning(tmp_path / "a.ckpt", both)), state)


def test_aliases_that_differ_are_refused(state, tmp_path: Path) -> None:
    name = BACKBONE + "_conv_stem.weight"
    torch.save(
        state | {name.replace(BACKBONE, BACKBONE + "model."): state[name] + 1}, tmp_path / "a.pt"
    )
    with pytest.raises(locotrack.CheckpointError, match=r"_conv_stem\.weight and its alias"):
        locotrack.load_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_loads_as_float32(dtype: torch.dtype, state, tmp_path: Path) -> None:
    halved = {n: t.to(dtype) if t.is_floating_point() else t for n, t in state.items()}
    save_file(halved, tmp_path / "half.safetensors")
    model = locotrack.load_checkpoint(tmp_path / "half.safetensors")
    weight = model.cost_conv.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, state["cost_conv.weight"].to(dtype).float())
    assert not torch.equal(weight, state["cost_conv.weight"])


@pytest.mark.parametrize("variant", [name for name in locotrack.VARIANTS if name != "b0-384"])
def test_every_variant_is_told_from_its_keys_and_shapes(variant: str) -> None:
    with torch.device("meta"):
        model = locotrack.LocoTrack(locotrack.VARIANTS[variant])
    assert identify_variant(model.state_dict()) == variant


def test_b0_384_is_b0_at_another_resolution(tmp_path: Path) -> None:
    torch.save(seeded_state("b0-384"), tmp_path / "a.pt")
    told = locotrack.load_checkpoint(tmp_path / "a.pt")
    asked = locotrack.load_checkpoint(tmp_path / "a.pt", "b0-384")
    moved = locotrack.load_checkpoint(tmp_path / "a.pt", "b0", (128, 64))
    assert (told.config.name, told.config.resolution_hw) == ("b0", (256, 256))
    assert (asked.config.name, asked.config.resolution_hw) == ("b0-384", (384, 512))
    assert (moved.config.name, moved.config.resolution_hw) == ("b0", (128, 64))


def test_a_plain_pickle_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(pickle.dumps({"a": 1}, 2))
    with pytest.raises(locotrack.CheckpointError, match=r"a\.pt cannot be read as a checkpoint"):
        locotrack.load_checkpoint(tmp_path / "a.pt")
