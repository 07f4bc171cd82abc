"""What a run starts from, and who teaches it."""

import numpy as np
import pytest
import torch
from checkpoints import save_lightning, seeded_state
from exported import export_once, seeded_profile
from synthetic_tracker import MODEL_HW, VELOCITY_XY

from locoexport.contract.interface import LIVE_ROLES
from locoexport.contract.profile import demo_weights_path, load_profile
from locoexport.errors import CheckpointError, LocoExportError, ModelFileError, UsageError
from locoexport.evaluation.sides import GraphSide, TorchSide
from locoexport.network.loading import load_network
from locoexport.pipeline.training.start import find_start, make_model, open_teacher
from locoexport.training.recipe import TrainingRecipe

FRAMES = np.random.default_rng(0).integers(0, 255, (4, 256, 256, 3), np.uint8)
QUERIES = np.array([[[0, 100.0, 120], [2, 30, 60]]], np.float32)


def test_weights_in_the_box_are_named_demo() -> None:
    profile, weights = find_start(None, "demo")
    assert profile.name == "b0-tiny"
    assert weights == demo_weights_path("b0-tiny.safetensors")
    with pytest.raises(UsageError, match="b5 ships no weights"):
        find_start("b5", "demo")


def test_nothing_named_is_a_fresh_start_and_weights_tell_their_profile(tmp_path) -> None:
    assert find_start("b0", None) == (load_profile("b0"), None)
    path = save_lightning(tmp_path / "b0.ckpt", seeded_state("b0"))
    profile, weights = find_start(None, str(path))
    assert profile.name == "b0"
    assert weights == path
    with pytest.raises(LocoExportError, match="b0"):
        find_start("b0-tiny", str(path))
    with pytest.raises(CheckpointError):
        find_start(None, str(tmp_path / "nowhere.ckpt"))


def test_fresh_weights_are_decided_by_the_seed_alone() -> None:
    profile = load_profile("b0-tiny")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = make_model(profile, TrainingRecipe(seed=1), None).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    same = make_model(profile, TrainingRecipe(seed=1), None).state_dict()
    other = make_model(profile, TrainingRecipe(seed=2), None).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    shipped = load_network(profile, None).model.state_dict()
    assert any(not torch.equal(one[name], shipped[name]) for name in one)
    assert all(torch.isfinite(value).all() for value in one.values())


def test_weights_to_go_on_from_are_those_of_the_file(tmp_path) -> None:
    state = seeded_state()
    path = save_lightning(tmp_path / "tiny.ckpt", state)
    found = make_model(load_profile("b0-tiny"), TrainingRecipe(seed=3), path).state_dict()
    assert all(torch.equal(found[name], value) for name, value in state.items())


def test_a_checkpoint_teaches(tmp_path) -> None:
    path = save_lightning(tmp_path / "tiny.ckpt", seeded_state())
    teacher = open_teacher(path)
    assert isinstance(teacher.side, TorchSide)
    assert teacher.fixed_frames is None
    assert teacher.side.track(FRAMES, QUERIES).tracks_xy.shape == (1, 2, 4, 2)
    assert open_teacher(str(path)).identity == teacher.identity
    demo = open_teacher("demo")
    assert demo.identity != teacher.identity
    assert demo.identity == open_teacher(demo_weights_path("b0-tiny.safetensors")).identity


@pytest.mark.slow
def test_a_split_export_teaches_as_its_checkpoint_does(tmp_path) -> None:
    path = export_once(seeded_profile("b0-tiny"), split=True)
    teacher = open_teacher(path.with_name("model.tracker.onnx"))
    assert isinstance(teacher.side, GraphSide)
    assert teacher.fixed_frames is None
    expected = open_teacher(save_lightning(tmp_path / "tiny.ckpt", seeded_state()))
    assert teacher.identity != expected.identity
    found = teacher.side.track(FRAMES, QUERIES)
    # The limit that every export is held against.
    np.testing.assert_allclose(
        found.tracks_xy, expected.side.track(FRAMES, QUERIES).tracks_xy, atol=4e-3
    )


@pytest.mark.parametrize("input_type", ["float32", "uint8"])
def test_a_file_teaches_in_pixels_of_256_whatever_it_takes(make_model, input_type) -> None:
    teacher = open_teacher(make_model(input_type=input_type))
    assert isinstance(teacher.side, GraphSide)
    found = teacher.side.track(FRAMES, QUERIES).tracks_xy[0]
    # It moves points in the pixels of the frames that it is given.
    factor = 1 if input_type == "uint8" else 256 / np.array(MODEL_HW[::-1])
    steps = np.arange(4) - QUERIES[0, :, :1]
    expected = QUERIES[0, :, None, :0:-1] + steps[..., None] * np.array(VELOCITY_XY) * factor
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_file_of_fixed_frames_says_so(make_model) -> None:
    teacher = open_teacher(make_model(frames=8))
    assert teacher.fixed_frames == 8


def test_files_that_differ_are_told_apart(make_model) -> None:
    one, other = make_model("one.onnx"), make_model("other.onnx", input_type="uint8")
    assert open_teacher(one).identity != open_teacher(other).identity
    kept = open_teacher(one).identity
    one.write_bytes(other.read_bytes())
    assert open_teacher(one).identity == open_teacher(other).identity != kept


def test_a_live_export_is_refused(tmp_path) -> None:
    for role in LIVE_ROLES:
        (tmp_path / f"model.{role}.onnx").write_bytes(b"")
    with pytest.raises(ModelFileError, match="live export"):
        open_teacher(tmp_path / "model.onnx")


def test_what_is_no_tracker_is_refused(tmp_path, make_model) -> None:
    for name in ("bad.onnx", "bad.ckpt"):
        (tmp_path / name).write_bytes(b"neither graph nor weights")
        with pytest.raises(LocoExportError, match=name) as refused:
            open_teacher(tmp_path / name)
        assert refused.value.exit_code == 2
        with pytest.raises(LocoExportError, match="nowhere") as refused:
            open_teacher(tmp_path / f"nowhere{name}")
        assert refused.value.exit_code == 2
    with pytest.raises(ModelFileError, match="batch of 2"):
        open_teacher(make_model(batch=2))
