"""Checkpoints that say how they were trained, by themselves or in a file beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from locoexport.contract.checkpoint_settings import NOTHING_SAID, CheckpointSettings
from locoexport.contract.profile import load_profile
from locoexport.errors import CheckpointError
from locoexport.models import locotrack
from locoexport.network.checkpoint import read_checkpoint
from locoexport.network.loading import choose_profile, load_network

SAID = {"model_kwargs": {"num_pips_iter": 2, "softmax_temperature": 10.0}}


def write(path: Path, hyper_parameters: Any = None, variant: str = "b0-tiny") -> Path:
    state = {f"model.{k}": v for k, v in locotrack.create_model(variant).state_dict().items()}
    document = {"state_dict": state}
    if hyper_parameters is not None:
        document["hyper_parameters"] = hyper_parameters
    torch.save(document, path)
    return path


def test_hyper_parameters_become_the_network(tmp_path: Path) -> None:
    path = write(tmp_path / "w.ckpt", SAID)
    config = load_network(load_profile("b0-tiny"), path).model.config
    assert (config.refinements, config.softmax_temperature) == (2, 10.0)


@pytest.mark.parametrize("name", ["w.json", "w.ckpt.json", "w.toml", "w.ckpt.toml"])
def test_a_file_beside_them_says_it(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "w.ckpt")
    text = json.dumps(SAID) if name.endswith("json") else "gelu = 'tanh'\nnum_pips_iter = 2\n"
    (tmp_path / name).write_text(text)
    assert read_checkpoint(path).settings.refinements == 2


def test_nothing_says_anything(tmp_path: Path) -> None:
    path = write(tmp_path / "w.ckpt", {"lr": 1e-3})
    (tmp_path / "w.json").write_text('{"schema": "locoexport.export/1", "refinements": "many"}')
    assert read_checkpoint(path).settings == NOTHING_SAID


def test_the_initial_resolution_chooses_among_profiles_of_one_network(tmp_path: Path) -> None:
    path = write(tmp_path / "w.ckpt", {"initial_resolution": (384, 512)}, "b0")
    assert choose_profile(None, path).name == "b0-384"
    assert choose_profile("b0", path).working_hw == (384, 512)


def test_levels_of_a_checkpoint_are_its_networks(tmp_path: Path) -> None:
    path = write(tmp_path / "w.ckpt", {"refinement_resolutions": ((384, 512),)})
    profile = choose_profile(None, path)
    assert (profile.resolution_hw, profile.working_hw) == ((256, 256), (384, 512))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (CheckpointSettings(refinements=4), ("refinements 4", "refinements", "w.ckpt 2")),
        (CheckpointSettings(softmax_temperature=20.0), ("softmax temperature 20", "w.ckpt 10")),
    ],
)
def test_what_is_asked_for_may_not_contradict_it(
    tmp_path: Path, settings: CheckpointSettings, says: tuple[str, ...]
) -> None:
    path = write(tmp_path / "w.ckpt", SAID)
    for call in (
        lambda: choose_profile(None, path, settings),
        lambda: load_network(load_profile("b0-tiny").with_options(settings=settings), path),
    ):
        with pytest.raises(CheckpointError) as caught:
            call()
        assert all(part in str(caught.value) for part in says)


def test_two_files_may_not_contradict_one_another(tmp_path: Path) -> None:
    path = write(tmp_path / "w.ckpt", SAID)
    (tmp_path / "w.json").write_text('{"num_pips_iter": 3}')
    with pytest.raises(CheckpointError, match=r"hyper_parameters\) says refinements 2, .*json 3"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("w.json", "{"), ("w.toml", "gelu = "), ("w.json", '{"gelu": "fast"}')],
)
def test_a_broken_file_beside_them_is_named(tmp_path: Path, name: str, text: str) -> None:
    path = write(tmp_path / "w.ckpt")
    (tmp_path / name).write_text(text)
    with pytest.raises(CheckpointError, match=name):
        read_checkpoint(path)


def test_extra_convolutions_are_refused_by_name(tmp_path: Path) -> None:
    state = dict(locotrack.create_model("resnet-small").state_dict())
    state |= {f"extra_convs.blocks.{i}.conv.weight": torch.zeros(2) for i in range(30)}
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"trained with extra_convs \(30 tensors\)"):
        choose_profile(None, tmp_path / "w.pt")
