"""Frames at other levels than the initial resolution: the file against torch's own forward pass.

``forward(video, queries, refinement_resolutions)`` is the published way, and the oracle here.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from exhaustive import matrix
from exported import export_once, seeded_profile
from golden_files import goldens, recipe, shapes_of

from locoexport.contract.checkpoint_settings import CheckpointSettings, Levels
from locoexport.contract.profile import ExportProfile, load_profile
from locoexport.models import locotrack
from locoexport.network.loading import load_network
from locoexport.network.oracle import run_reference
from locoexport.notices import ignore
from locoexport.parity.probes import make_probe, to_uint8
from locoexport.pipeline.export import export_model
from locoexport.pipeline.proof.pointwise import make_probes, prove
from locoexport.pipeline.verify import verify_model
from locoexport.runtime.session.opening import open_model

SMALL_HW = (64, 64)
ONE: Levels = ((96, 128),)
TWO: Levels = ((64, 64), (96, 128))
TALL_THEN_WIDE: Levels = ((128, 64), (72, 160))
SHAPES = ((1, 1, 1), (1, 2, 3), (2, 3, 4), (1, 9, 17))


def small(levels: Levels, **options: Any) -> ExportProfile:
    profile = seeded_profile("b0-tiny").with_options(resolution_hw=SMALL_HW, **options)
    return profile.with_options(settings=CheckpointSettings(refinement_resolutions=levels))


def assert_parity(path: Path, profile: ExportProfile, folder: Path) -> None:
    session = open_model(path, profile_prefix=folder / "ort")
    probes = make_probes(SHAPES, profile.axes, profile.working_hw, profile.input_type)
    report = prove(session, load_network(profile, None).model, probes, profile.tolerance, ignore)
    assert report.passed, report


@pytest.mark.parametrize("levels", [ONE, TWO, TALL_THEN_WIDE])
def test_the_oracle_is_the_published_forward_pass(levels: Levels) -> None:
    model = load_network(small(levels), None).model
    probe = make_probe("textured", batch=2, frames=4, points=9, size_hw=levels[-1], seed=3)
    found = run_reference(model, probe.video, probe.query_points_tyx).outputs
    plain = locotrack.create_model("b0-tiny", SMALL_HW)
    with torch.inference_mode():
        expected = plain(
            torch.from_numpy(probe.video), torch.from_numpy(probe.query_points_tyx), levels
        )
    assert np.abs(found.tracks_xy - expected.tracks.numpy()).max() < 1e-4
    assert np.abs(found.occlusion - expected.occlusion.numpy()).max() < 1e-5


@pytest.mark.parametrize(
    ("levels", "sampling"),
    matrix([(ONE, "gather"), (TWO, "planar"), (TALL_THEN_WIDE, "gather")], [(TWO, "planar")]),
)
def test_each_form_of_levels(levels: Levels, sampling: str, tmp_path: Path) -> None:
    profile = small(levels, sampling=sampling)
    assert_parity(export_once(profile), profile, tmp_path)


@pytest.mark.parametrize(
    "options",
    matrix(
        [{"input_type": "uint8"}, {"target": "cuda", "opset": 16}, {"opset": 20}],
        [{"input_type": "uint8"}, {"target": "cuda", "opset": 16}],
    ),
    ids=str,
)
def test_each_kind_of_file(options: dict[str, Any], tmp_path: Path) -> None:
    profile = small(TWO, **options)
    assert_parity(export_once(profile), profile, tmp_path)


def test_frames_of_any_size_are_resized_to_each_level_by_itself() -> None:
    profile = small(TWO, input_type="uint8")
    model = load_network(profile, None).model
    probe = make_probe("textured", batch=1, frames=3, points=8, size_hw=(150, 210), seed=5)
    frames = to_uint8(probe.video)
    with torch.inference_mode():
        expected = model(
            torch.from_numpy(frames).float() / 255 * 2 - 1,
            torch.from_numpy(probe.query_points_tyx),
        )
    found = open_model(export_once(profile)).run(frames, probe.query_points_tyx)
    # Pixels of the video are 1.6 times those of the level.
    assert np.abs(found.tracks_xy - expected.tracks.numpy()).max() < 1.6 * 4e-3


def test_a_split_gives_the_grids_of_both_levels(tmp_path: Path) -> None:
    profile = small(TWO)
    path = export_once(profile, split=True)
    assert_parity(path, profile, tmp_path)
    encoder = onnx.load(path.with_name("model.encoder.onnx"))
    assert [output.name for output in encoder.graph.output] == [
        *("grid_hires", "grid_lowres", "grid_highest"),
        *("first_grid_hires", "first_grid_lowres"),
    ]


def test_one_scan_holds_both_encoders() -> None:
    nodes = onnx.load(export_once(small(TWO, sampling="planar"))).graph.node
    assert sum(node.op_type == "Scan" for node in nodes) == 1
    assert not [node.name for node in nodes if node.op_type == "Conv" and "encoder" in node.name]


def test_metadata_says_the_levels_and_verify_honours_them() -> None:
    path = export_once(small(TWO, sampling="planar"))
    metadata = open_model(path).metadata
    properties = metadata.to_properties()
    assert properties["locoexport.resolution"] == "96x128"
    assert properties["locoexport.initial_resolution"] == "64x64"
    assert properties["locoexport.refinement_resolutions"] == "64x64,96x128"
    assert metadata.trained.levels == TWO
    report = verify_model(path, localise=True)
    assert report.passed
    assert report.localisation is not None
    assert not report.localisation.missing
    parts = {reading.seam.part for reading in report.localisation.readings}
    assert {"backbone", "backbone, first level", "query sampling, first level"} <= parts


def test_a_file_that_forgot_its_first_level_fails_verify(tmp_path: Path) -> None:
    """The gap that this is about: the same weights and frames, another first level."""
    path = tmp_path / "levels.onnx"
    model = onnx.load(export_once(small(ONE)))
    for entry in model.metadata_props:
        if entry.key == "locoexport.refinement_resolutions":
            entry.value = "64x64,96x128"
    onnx.save(model, path)
    assert not verify_model(path, localise=False).passed


def test_the_golden_at_384x384(tmp_path: Path) -> None:
    """The reference enlarges its 256x256 video itself; a file is given enlarged frames."""
    (golden,) = (row for row in goldens() if row.file == "b0__res384.npz")
    assert golden.resolutions == ((384, 384),)
    checkpoint = tmp_path / "b0.ckpt"
    weights = {
        f"model.{name}": torch.tensor(np.array(recipe.weights_for(name, shape)))
        for name, shape in shapes_of("b0").items()
    }
    torch.save({"state_dict": weights}, checkpoint)
    profile = load_profile("b0").with_options(
        settings=CheckpointSettings(refinement_resolutions=golden.resolutions)
    )
    path = tmp_path / "model.onnx"
    export_model(profile, path, checkpoint=checkpoint, verify=False)
    video, queries = golden.inputs()
    frames = torch.from_numpy(video[0]).permute(0, 3, 1, 2)
    frames = torch.nn.functional.interpolate(
        frames, (384, 384), mode="bilinear", align_corners=False
    )
    scale = np.array([1, 384 / 256, 384 / 256], np.float32)
    found = open_model(path).run(
        np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy()[None]), queries * scale
    )
    arrays = golden.arrays()
    assert np.abs(found.tracks_xy - arrays["tracks"] * 1.5).max() <= 4e-3 * 1.5
    assert np.abs(found.occlusion - arrays["occlusion"]).max() <= 4e-3
    assert np.abs(found.expected_dist - arrays["expected_dist"]).max() <= 4e-3


VARIANTS = [name for name in locotrack.VARIANTS if name != "b0-tiny"]


@pytest.mark.parametrize(
    ("variant", "levels"),
    matrix(
        [(name, levels) for name in VARIANTS for levels in ("384x512", "256x256,384x512")],
        [],
    ),
)
def test_every_variant(variant: str, levels: str, tmp_path: Path) -> None:
    sides = tuple(
        (int(height), int(width))
        for height, width in (level.split("x") for level in levels.split(","))
    )
    profile = replace(seeded_profile(variant), resolution_hw=load_profile(variant).resolution_hw)
    profile = profile.with_options(settings=CheckpointSettings(refinement_resolutions=sides))
    session = open_model(export_once(profile), profile_prefix=tmp_path / "ort")
    probes = make_probes(((1, 2, 3), (2, 3, 4)), profile.axes, profile.working_hw)
    report = prove(session, load_network(profile, None).model, probes, profile.tolerance, ignore)
    assert report.passed, report
