"""Weights of JAX in PyTorch's network: their settings, their levels, and who agrees to what."""

import json
from pathlib import Path

import pytest
from jax_files import save_golden, save_tar

from locoexport.contract.checkpoint_settings import CheckpointSettings
from locoexport.errors import CheckpointError
from locoexport.machine.writing.output_files import sha256_of
from locoexport.network.checkpoint import read_checkpoint
from locoexport.network.loading import choose_profile, load_network

ONE, TWO = (256, 256), (384, 512)
ELSEWHERE = [
    CheckpointSettings(resolution_hw=TWO),
    CheckpointSettings(refinement_resolutions=(ONE, TWO)),
    CheckpointSettings(refinement_resolutions=(TWO,)),
    CheckpointSettings(resolution_hw=TWO, refinement_resolutions=(ONE,)),
]


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_golden(tmp_path_factory.mktemp("jax") / "checkpoint.npy")


def test_settings_are_those_of_jax(golden: Path) -> None:
    profile = choose_profile(None, golden)
    assert (profile.name, profile.resolution_hw) == ("resnet-small", ONE)
    network = load_network(profile, golden)
    assert network.settings == CheckpointSettings(ONE, (ONE,), 4, 20.0, "tanh")
    assert network.settings.unsaid() == ()
    assert network.apart is None
    assert network.model.config.gelu == "tanh"
    assert (network.weights.file_name, network.weights.member) == ("checkpoint.npy", None)
    assert network.weights.sha256 == sha256_of(golden)


def test_a_profile_alone_takes_its_settings_too(golden: Path) -> None:
    """``export_model`` may be called without ``choose_profile``."""
    from locoexport.contract.profile import load_profile

    network = load_network(load_profile("resnet-small"), golden)
    assert network.settings == CheckpointSettings(ONE, (ONE,), 4, 20.0, "tanh")
    with pytest.raises(CheckpointError, match="--as-pytorch"):
        load_network(load_profile("resnet-small").with_options(resolution_hw=TWO), golden)


@pytest.mark.parametrize("asked", ELSEWHERE)
def test_other_levels_need_consent(asked: CheckpointSettings, golden: Path) -> None:
    with pytest.raises(CheckpointError) as refused:
        choose_profile(None, golden, asked)
    for told in (
        f"{golden} holds weights that JAX trained",
        "always makes its first estimate at 256x256, refines four times at each level",
        "the mean over levels, and antialiases",
        "PyTorch makes its first estimate at the first level, refines only at the last level",
        "leave --resolution and --refinement-resolutions out",
        "--as-pytorch",
    ):
        assert told in str(refused.value)
    profile = choose_profile(None, golden, asked, as_pytorch=True)
    network = load_network(profile, golden, as_pytorch=True)
    assert network.apart is not None
    assert network.apart in str(refused.value)
    assert network.settings.unsaid() == ()
    complete = asked.or_else(CheckpointSettings(resolution_hw=ONE))
    assert network.settings.resolution_hw == complete.resolution_hw
    assert network.settings.levels == complete.levels


def test_the_same_level_in_other_words(golden: Path) -> None:
    for asked in (CheckpointSettings(ONE), CheckpointSettings(ONE, (ONE, ONE))):
        assert load_network(choose_profile(None, golden, asked), golden).apart is None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (CheckpointSettings(gelu="erf"), "says GELU erf, .* tanh"),
        (CheckpointSettings(refinements=8), "says refinements 8, .* 4"),
        (CheckpointSettings(softmax_temperature=10.0), "says softmax temperature 10, .* 20"),
    ],
)
def test_what_jax_has_cannot_be_changed(asked: CheckpointSettings, told: str, golden: Path) -> None:
    for as_pytorch in (False, True):
        with pytest.raises(CheckpointError, match=told):
            choose_profile(None, golden, asked, as_pytorch=as_pytorch)


def test_a_file_beside_says_more(golden: Path, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npy"
    path.symlink_to(golden)
    beside = tmp_path / "checkpoint.npy.json"
    beside.write_text(json.dumps({"gelu": "tanh", "num_pips_iter": 4}))
    assert choose_profile(None, path).trained.gelu == "tanh"
    beside.write_text(json.dumps({"num_pips_iter": 6}))
    with pytest.raises(CheckpointError, match=r"as JAX has it.* says refinements 4, .* 6"):
        choose_profile(None, path)
    beside.write_text(json.dumps({"initial_resolution": [384, 512]}))
    with pytest.raises(CheckpointError, match="--as-pytorch"):
        choose_profile(None, path)


def test_a_profile_of_another_variant_is_refused(golden: Path) -> None:
    from locoexport.errors import ProfileError

    with pytest.raises(ProfileError, match="holds 'resnet-small' weights, but you chose 'b0'"):
        choose_profile("b0", golden)


def test_a_member_is_where_weights_come_from(golden: Path, tmp_path: Path) -> None:
    data = golden.read_bytes()
    path = save_tar(tmp_path / "w.tar", {"w/a/c.npy": data, "w/b/c.npy": data})
    named = Path(f"{path}::b")
    assert read_checkpoint(named).path == Path(f"{path}::w/b/c.npy")
    weights = load_network(choose_profile(None, named), named).weights
    assert (weights.file_name, weights.member) == ("w.tar", "w/b/c.npy")
    assert weights.sha256 == sha256_of(path)
