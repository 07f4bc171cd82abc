"""The JAX model's own answers, from its checkpoints through PyTorch and through an exported file.

The goldens were computed by the JAX implementation, in float64. Queries lie where rounding and
borders matter: at t = 0.5, in corners, outside.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from exhaustive import matrix
from golden_files import largest_difference, load_arrays, recipe
from jax_files import GOLDENS, save_golden

from locoexport.network.loading import choose_profile, load_network
from locoexport.pipeline.export import export_model
from locoexport.runtime.session.single import open_session

CASES = ["small_t1", "small_t4", "base_t4"]
TORCH_PX, ONNX_PX = 2e-3, 4e-3
OUTPUTS = ("tracks", "occlusion", "expected_dist")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jax")


def checkpoint_of(case: str, folder: Path) -> Path:
    size = case.split("_")[0]
    path = folder / f"{size}.npy"
    return path if path.exists() else save_golden(path, size)


def inputs_of(case: str) -> tuple[np.ndarray, np.ndarray]:
    arrays, name = inputs(), case.split("_")[1]
    return recipe.u8_to_float(arrays[f"video_{name}"][None]), arrays[f"queries_{name}"][None]


@cache
def inputs() -> dict[str, np.ndarray]:
    return load_arrays("jax/inputs.npz")


@pytest.mark.parametrize("case", CASES)
def test_torch_answers_as_jax(case: str, folder: Path) -> None:
    path = checkpoint_of(case, folder)
    model = load_network(choose_profile(None, path), path).model
    assert model.config.gelu == "tanh"
    video, queries = (torch.from_numpy(array) for array in inputs_of(case))
    with torch.inference_mode():
        answer = model(video, queries, ((256, 256),))
    for name in OUTPUTS:
        expected = load_arrays(f"jax/{case}.npz")[name]
        assert largest_difference(getattr(answer, name), expected) <= TORCH_PX, name


@pytest.mark.slow
@pytest.mark.parametrize("size", matrix(["small", "base"], ["small"]))
def test_an_exported_file_answers_as_jax(size: str, folder: Path) -> None:
    path = checkpoint_of(f"{size}_", folder)
    file = folder / f"{size}.onnx"
    export_model(choose_profile(None, path), file, checkpoint=path, verify=False)
    session = open_session(file)
    for case in (case for case in CASES if case.startswith(size)):
        answer = session.run(*inputs_of(case))
        golden = load_arrays(f"jax/{case}.npz")
        assert largest_difference(answer.tracks_xy, golden["tracks"]) <= ONNX_PX
        assert largest_difference(answer.occlusion, golden["occlusion"]) <= ONNX_PX
        assert largest_difference(answer.expected_dist, golden["expected_dist"]) <= ONNX_PX


def test_goldens_need_the_tanh_form(folder: Path) -> None:
    """With erf they are missed: else the goldens would not tell the two apart."""
    from locoexport.models import locotrack
    from locoexport.network.jax_checkpoint import read_jax_checkpoint

    read = read_jax_checkpoint(checkpoint_of("base_t4", folder))
    model = locotrack.create_model(read.variant)
    model.load_state_dict({key: torch.from_numpy(array) for key, array in read.state.items()})
    video, queries = (torch.from_numpy(array) for array in inputs_of("base_t4"))
    with torch.inference_mode():
        answer = model(video, queries, ((256, 256),))
    assert largest_difference(answer.tracks, load_arrays("jax/base_t4.npz")["tracks"]) > TORCH_PX


def test_the_goldens_are_all_here() -> None:
    assert {path.stem for path in GOLDENS.glob("*.npz")} == {*CASES, "inputs"}
