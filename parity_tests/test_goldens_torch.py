"""Every golden through the PyTorch model."""

from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden_files import (
    DEMO_FILE,
    FOLDER,
    MANIFEST,
    Golden,
    goldens,
    largest_difference,
    load_arrays,
    recipe,
    shapes_of,
)

from locoexport.contract.profile import demo_weights_path
from locoexport.models import locotrack
from locoexport.models.locotrack.seeding import seeded_array

TOLERANCE_PX = MANIFEST["tolerance_px"]
TOLERANCE_LOGIT = MANIFEST["tolerance_logit"]
TOLERANCE_PROBE = 1e-4
TOLERANCES = {
    "tracks": TOLERANCE_PX,
    "occlusion": TOLERANCE_LOGIT,
    "expected_dist": TOLERANCE_LOGIT,
}
VARIANTS = list(locotrack.VARIANTS)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


@cache
def seeded_model(variant: str) -> locotrack.LocoTrack:
    return locotrack.create_model(variant)


def check_outputs(result: locotrack.TrackingResult, arrays: dict[str, np.ndarray]) -> None:
    for name, tolerance in TOLERANCES.items():
        assert largest_difference(getattr(result, name), arrays[name]) <= tolerance, name


def test_every_golden_file_is_in_the_manifest() -> None:
    on_disk = {path.name for path in FOLDER.glob("*") if path.suffix in (".npz", ".json")}
    listed = {row["file"] for row in MANIFEST["goldens"]}
    own = {"manifest.json", "unit__default_resolutions.json", DEMO_FILE}
    assert on_disk == listed | own
    # resnet-large is JAX's alone: its goldens are those of test_goldens_jax.py.
    assert {golden.variant for golden in goldens()} == set(VARIANTS) - {"resnet-large"}


@pytest.mark.parametrize(
    "golden",
    [golden for golden in goldens() if golden.case != "inference"],
    ids=lambda golden: golden.file.removesuffix(".npz"),
)
def test_golden(golden: Golden) -> None:
    model, arrays = seeded_model(golden.variant), golden.arrays()
    video, queries = (torch.from_numpy(array) for array in golden.inputs())
    result = model(video, queries, golden.resolutions)
    check_outputs(result, arrays)
    if "unrefined_tracks" in arrays:
        check_unrefined(result, arrays)
    if "resolutions" in arrays:
        check_features(model, video, golden, arrays)


def check_unrefined(result: locotrack.TrackingResult, arrays: dict[str, np.ndarray]) -> None:
    """States before each refinement; the first is the cost volume's own answer."""
    for name, tolerance in TOLERANCES.items():
        states = torch.stack(getattr(result, f"unrefined_{name}"))
        assert largest_difference(states, arrays[f"unrefined_{name}"]) <= tolerance, name


def check_features(
    model: locotrack.LocoTrack,
    video: torch.Tensor,
    golden: Golden,
    arrays: dict[str, np.ndarray],
) -> None:
    """The levels, and the grids of the last of them on frame 0."""
    levels = [tuple(level) for level in arrays["resolutions"].tolist()]
    defaults = locotrack.resolutions.default_resolutions(
        golden.video_hw, model.config.resolution_hw
    )
    assert levels == list(golden.resolutions or defaults)
    if "probe_highest" not in arrays:
        return
    grids = model.extract_features(video[:, :1], levels[-1]).grids
    for name in ("lowres", "hires", "highest"):
        y0, ys, x0, xs = arrays[f"probe_{name}_start_step"]
        probe = getattr(grids, name)[0, 0, y0::ys, x0::xs]
        assert largest_difference(probe, arrays[f"probe_{name}"]) <= TOLERANCE_PROBE, name


def test_golden_of_the_resize_first_path() -> None:
    (golden,) = (golden for golden in goldens() if golden.case == "inference")
    model, arrays = seeded_model(golden.variant), golden.arrays()
    video, queries = (torch.from_numpy(array) for array in golden.inputs())
    (height, width), (video_height, video_width) = model.config.resolution_hw, golden.video_hw
    assert (height, width) != (video_height, video_width)
    frames = video[0].permute(0, 3, 1, 2)
    resized = F.interpolate(frames, (height, width), mode="bilinear", align_corners=False)
    scaled = queries * torch.tensor([1, height / video_height, width / video_width])
    result = model.track_resized(resized.permute(0, 2, 3, 1)[None], scaled)
    tracks = result.tracks * torch.tensor([video_width / width, video_height / height])
    assert largest_difference(tracks, arrays["tracks"]) <= TOLERANCE_PX
    np.testing.assert_array_equal(~result.visible.numpy(), arrays["occluded"])


def test_golden_of_real_frames_and_the_shipped_weights() -> None:
    arrays = load_arrays(DEMO_FILE)
    model = locotrack.load_checkpoint(demo_weights_path("b0-tiny.safetensors"))
    assert model.config.name == "b0-tiny"
    video = torch.from_numpy(recipe.u8_to_float(arrays["video_u8"]))
    check_outputs(model(video, torch.from_numpy(arrays["query_points"])), arrays)


@pytest.mark.parametrize("variant", VARIANTS)
def test_state_dict_has_the_names_shapes_and_types_of_the_reference(variant: str) -> None:
    state = seeded_model(variant).state_dict()
    expected = shapes_of(variant)
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == expected
    for name, tensor in state.items():
        integer = name.endswith("num_batches_tracked")
        assert tensor.dtype == (torch.int64 if integer else torch.float32), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_state_dict_loads_strictly_both_ways(variant: str, tmp_path) -> None:
    """A file of the reference's names loads here, and what is saved here has its names."""
    weights = {
        f"model.{name}": torch.from_numpy(recipe.weights_for(name, shape)).reshape(shape)
        for name, shape in shapes_of(variant).items()
    }
    torch.save({"state_dict": weights}, tmp_path / "reference.ckpt")
    model = locotrack.load_checkpoint(tmp_path / "reference.ckpt", variant)
    saved = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    assert saved.keys() == weights.keys()
    for name, tensor in saved.items():
        assert torch.equal(tensor, weights[name]), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_seeded_weights_are_the_recipes(variant: str) -> None:
    state = seeded_model(variant).state_dict()
    for name, shape in shapes_of(variant).items():
        expected = recipe.weights_for(name, shape)
        seeded = seeded_array(name, shape)
        assert seeded.dtype == expected.dtype, name
        np.testing.assert_array_equal(seeded, expected, err_msg=name)
        np.testing.assert_array_equal(state[name].numpy(), expected, err_msg=name)
