"""The model that the package ships: there, whole, and what it says of itself."""

import hashlib
from importlib.resources import files
from pathlib import Path

import pytest

from locoexport.contract import shipped_model
from locoexport.contract.profile import OPSETS, load_profile
from locoexport.contract.shipped_model import (
    SHIPPED_PROFILE,
    shipped_live_path,
    shipped_model_path,
)
from locoexport.errors import ModelFileError
from locoexport.runtime.live.session import open_live
from locoexport.runtime.session.opening import open_model
from locoexport.version import __version__


def test_it_is_the_profile_with_its_trained_weights_and_every_axis_dynamic() -> None:
    model, profile = open_model(shipped_model_path()), load_profile(SHIPPED_PROFILE)
    assert profile.demo_weights is not None
    weights = files("locoexport.profiles") / profile.demo_weights
    said = model.metadata
    assert (said.profile, said.opset, said.precision) == (SHIPPED_PROFILE, profile.opset, "fp32")
    assert said.opset in OPSETS
    assert not said.weights.seeded
    assert said.weights.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert said.parity is not None
    assert (model.fixed_batch, model.fixed_frames, model.fixed_points) == (None, None, None)


def test_it_was_exported_by_this_version() -> None:
    assert open_model(shipped_model_path()).metadata.version == __version__  # else: make box


def test_its_live_files_leave_the_window_open() -> None:
    live = open_live(shipped_live_path())
    assert (live.window, live.fixed_points) == (None, None)
    whole = open_model(shipped_model_path())
    assert live.metadata.weights == whole.metadata.weights


def test_an_installation_without_it_says_so(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shipped_model, "files", lambda package: tmp_path)
    with pytest.raises(ModelFileError, match=r"b0-tiny\.onnx is missing: this installation"):
        shipped_model_path()
    with pytest.raises(ModelFileError, match=r"b0-tiny\.live\.onnx is missing"):
        shipped_live_path()
