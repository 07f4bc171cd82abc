"""The weights of an exported file, found again in a tar."""

from dataclasses import replace
from pathlib import Path

import pytest
from jax_files import save_golden, save_tar

from locoexport.contract.metadata import ArtifactMetadata, WeightsOrigin
from locoexport.contract.profile import load_profile
from locoexport.errors import CheckpointError
from locoexport.machine.writing.output_files import sha256_of
from locoexport.pipeline.weights.origin import load_weights

MEMBER = "w/locotrack_small/checkpoint.npy"
PROFILE = load_profile("resnet-small")
METADATA = ArtifactMetadata(
    version="0.1.0",
    profile="resnet-small",
    variant="resnet-small",
    resolution_hw=(256, 256),
    opset=17,
    precision="fp32",
    sampling="gather",
    rewrites=(),
    weights=WeightsOrigin(None, None),
    simplifier="",
    torch_version="",
    parity=None,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tar")
    data = save_golden(folder / "small.npy").read_bytes()
    save_tar(folder / "w.tar", {"w/locotrack_early/checkpoint.npy": data, MEMBER: data})
    return folder


def load(folder: Path, checkpoint: str | None = None, member: str | None = MEMBER):
    origin = WeightsOrigin("w.tar", sha256_of(folder / "w.tar"), member)
    metadata = replace(METADATA, weights=origin)
    return load_weights(folder / "model.onnx", metadata, PROFILE, checkpoint)


def test_the_member_is_that_of_the_metadata(folder: Path) -> None:
    found = load(folder)  # it lies beside the file
    assert found.weights.member == MEMBER
    for named in ("", "::locotrack_small", f"::{MEMBER}"):
        assert load(folder, f"{folder}/w.tar{named}").weights == found.weights


def test_another_member_is_refused(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=f"was made from {MEMBER} of .*, not from locotrack_"):
        load(folder, f"{folder}/w.tar::locotrack_early")
    with pytest.raises(CheckpointError, match=r"There is no checkpoint file .*other\.tar\.$"):
        load(folder, f"{folder}/other.tar::locotrack_small")
    with pytest.raises(CheckpointError, match="holds 2 checkpoints of JAX"):
        load(folder, member=None)


def test_levels_were_agreed_to_when_the_file_was_made(folder: Path) -> None:
    origin = WeightsOrigin("w.tar", sha256_of(folder / "w.tar"), MEMBER)
    profile = PROFILE.with_options(resolution_hw=(384, 512))
    network = load_weights(folder / "a.onnx", replace(METADATA, weights=origin), profile, None)
    assert network.model.config.resolution_hw == (384, 512)
