"""``export --checkpoint published``, from a stand-in for Hugging Face on this machine."""

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from loopback import Served, serving

from locoexport.contract.profile import ExportProfile, load_profile
from locoexport.errors import CheckpointError
from locoexport.notices import Notice
from locoexport.pipeline import export
from locoexport.pipeline.assembly.graph import FinishedGraph
from locoexport.pipeline.weights.origin import load_weights
from locoexport.runtime.session.single import open_session

WEIGHTS = (files("locoexport.profiles") / "b0-tiny.safetensors").read_bytes()
SIZES = ("--resolution", "64x64", "--batch", "1", "--frames", "3", "--points", "4")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch) -> Iterator[Served]:
    """A hub with one repository, asked in the place of huggingface.co; both caches are empty."""
    from huggingface_hub import constants

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with serving({"/me/mine/resolve/main/b0-tiny.safetensors": WEIGHTS}) as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.partition("/{")[2]
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{served.url}/{{{template}")
        yield served


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A profile of one's own, of b0-tiny, which names a repository."""
    text = (files("locoexport.profiles") / "b0-tiny.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('demo = "b0-tiny.safetensors"', 'published = "hf://me/mine"'))
    return path


@pytest.mark.slow  # a real network is traced
def test_what_was_published_is_exported_and_found_again(
    hub: Served, mine: Path, tiny_graph: FinishedGraph, run, tmp_path: Path, monkeypatch
) -> None:
    def build(profile, network, **keywords: object) -> FinishedGraph:
        metadata = replace(tiny_graph.metadata, profile="mine", weights=network.weights)
        return replace(tiny_graph, metadata=metadata)

    monkeypatch.setattr(export, "build_graph", build)
    path = tmp_path / "folder" / "a.onnx"
    path.parent.mkdir()
    arguments = ("--profile", mine, "--checkpoint", "published", "--no-verify", *SIZES)
    finished = run("export", *arguments, "-o", path)
    assert finished.code == 0, finished.stderr
    assert "warning: Using hf://me/mine/b0-tiny.safetensors: it is named after b0-tiny," in (
        finished.stderr
    )
    metadata = open_session(path).metadata
    assert metadata.weights.file_name == "b0-tiny.safetensors"
    assert metadata.weights.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    # A name that neither lies beside the model nor in the package.
    renamed = replace(metadata, weights=replace(metadata.weights, file_name="theirs.safetensors"))
    with pytest.raises(CheckpointError, match="nor among those downloaded; pass --checkpoint"):
        load_weights(path, renamed, load_profile("b0-tiny"), None)
    hub.files["/me/other/resolve/main/theirs.safetensors"] = WEIGHTS
    from locoexport.pipeline.weights.sources import find_checkpoint

    find_checkpoint("hf://me/other/theirs.safetensors")
    found = load_weights(path, renamed, load_profile("b0-tiny"), None)
    assert found.weights == renamed.weights


def test_what_contradicts_the_profile(hub: Served, mine: Path, run, tmp_path: Path) -> None:
    mine.write_text(mine.read_text().replace("hf://me/mine", "hf://me/mine/b0-tiny.safetensors"))
    mine.write_text(mine.read_text().replace('variant = "b0-tiny"', 'variant = "b2"'))
    finished = run("export", "--profile", mine, "--checkpoint", "published", "-o", tmp_path / "a")
    assert finished.code == 2
    assert "holds 'b0-tiny' weights, but" in finished.stderr
    assert not (tmp_path / "a").exists()


def test_a_profile_without_published_weights(run, tmp_path: Path) -> None:
    finished = run("export", "--backbone", "b0-tiny", "--checkpoint", "published")
    assert finished.code == 2
    assert "error: Profile b0-tiny names no published weights. The package ships" in finished.stderr


@pytest.mark.slow  # a process of its own imports torch
def test_offline_in_a_process_of_its_own(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "locoexport",
            "export",
            "--backbone",
            "b0",
            "--checkpoint",
            "published",
        ],
        cwd=tmp_path,
        env={**os.environ, "HF_ENDPOINT": nowhere, "HF_HOME": str(tmp_path / "hf")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "error: hf://yunpengZhangup/locotrack-EfficientNet cannot be listed: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow  # a real network is traced
@pytest.mark.parametrize(
    ("profile", "command"),
    [
        (
            load_profile("resnet-small"),
            "locoexport export --backbone resnet-small --checkpoint published -o model.onnx",
        ),
        (
            replace(load_profile("b2"), name="mine"),
            "locoexport export --backbone b2 --checkpoint published -o model.onnx",
        ),
        (
            replace(load_profile("b0-tiny"), name="mine", demo_weights=None),
            "locoexport export --backbone b0-tiny -o model.onnx",
        ),
    ],
)
def test_seeded_weights_come_with_the_command_for_real_ones(
    profile: ExportProfile, command: str, tiny_graph: FinishedGraph, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(export, "build_graph", lambda *arguments, **keywords: tiny_graph)
    told: list[Notice] = []
    export.export_model(profile, tmp_path / "a.onnx", verify=False, notify=told.append)
    (warning,) = (notice.text for notice in told if notice.warning)
    assert warning.endswith(f"its tracks mean nothing. With real weights: {command}")
