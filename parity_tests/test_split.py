"""The three files of a split export against the unrewritten model, and through the runtime."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from exhaustive import matrix
from exported import export_once, seeded_profile

from locoexport.contract.profile import AxisSizes, load_profile
from locoexport.errors import ModelFileError
from locoexport.parity.probes import make_probe
from locoexport.pipeline.export import export_model
from locoexport.pipeline.verify import verify_model
from locoexport.runtime.session.opening import open_model
from locoexport.runtime.session.single import open_session
from locoexport.runtime.session.split import open_split
from locoexport.runtime.session.split_files import find_split_files
from locoexport.runtime.tracking.budget import MemoryModel, Plan, make_plan
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracking.windows import WindowSize

# The same kernels on other sizes (the encoder's batch): measured at most 2.3e-4 px over the
# variants below, seeded weights.
TOLERANCE_PX = 2e-3


@pytest.fixture(scope="module")
def split() -> Path:
    return export_once(seeded_profile("b0-tiny"), split=True)


@pytest.mark.parametrize(
    ("sampling", "variant"),
    matrix(
        product(("planar", "gather"), ("b0-wide", "resnet-small", "b0-mlp", "resnet-base")),
        [("planar", "b0-wide")],
    ),
)
def test_together_they_are_proven_as_one_file_is(variant: str, sampling: str, tmp_path) -> None:
    report = export_model(
        seeded_profile(variant, sampling=sampling), tmp_path / "m.onnx", split=True
    )
    assert report.parity is not None
    assert report.parity.passed
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "m.encoder.onnx",
        "m.query.onnx",
        "m.tracker.onnx",
    ]
    assert {a.metadata.part for a in report.artifacts} == {"encoder", "query", "tracker"}


@pytest.mark.parametrize(("batch", "frames", "points"), [(1, 1, 1), (1, 6, 9), (2, 9, 5)])
def test_equal_to_the_single_file(split: Path, batch: int, frames: int, points: int) -> None:
    probe = make_probe(
        "textured", batch=batch, frames=frames, points=points, size_hw=(256, 256), seed=3
    )
    single = open_session(export_once(seeded_profile("b0-tiny")))
    expected = single.run(probe.video, probe.query_points_tyx)
    found = open_model(split).run(probe.video, probe.query_points_tyx)
    np.testing.assert_allclose(found.tracks_xy, expected.tracks_xy, rtol=0, atol=TOLERANCE_PX)
    np.testing.assert_allclose(found.occlusion, expected.occlusion, rtol=0, atol=TOLERANCE_PX)


def test_frames_that_were_encoded_answer_many_questions(split: Path) -> None:
    probe = make_probe("textured", batch=1, frames=7, points=12, size_hw=(256, 256), seed=1)
    model = open_split(split)
    encoded = model.prepare(probe.video)
    whole = model.run(probe.video, probe.query_points_tyx).tracks_xy
    for chunk in (slice(0, 5), slice(5, 12)):
        part = model.run_prepared(encoded, probe.query_points_tyx[:, chunk]).tracks_xy
        np.testing.assert_allclose(part, whole[:, chunk], rtol=0, atol=TOLERANCE_PX)


def test_memory_goes_into_long_windows_not_into_many_points_a_call(split: Path) -> None:
    memory = MemoryModel(frame=2e6, refine=5.5e6, point=0.2e6)
    plan = make_plan(
        open_split(split), memory, 0.85e9, points=1000, frame_bytes=200_000, window=None
    )
    assert plan == Plan(WindowSize.of(48), 32)


def test_fixed_axes(tmp_path: Path) -> None:
    profile = replace(seeded_profile("b0-tiny"), axes=AxisSizes(1, 5, 3))
    report = export_model(profile, tmp_path / "m.onnx", split=True)
    assert report.parity is not None
    assert report.parity.passed
    model = open_split(tmp_path / "m.tracker.onnx")
    assert (model.fixed_batch, model.fixed_frames, model.fixed_points) == (1, 5, 3)


def test_verify_takes_any_of_the_three(split: Path) -> None:
    report = verify_model(split.with_name("model.query.onnx"))
    assert report.parity.passed


def test_the_runtime_encodes_each_window_once(split: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (9, 64, 80, 3), np.uint8)
    queries = [[0, 10.5, 20.5], [3, 30.0, 40.0], [8, 50.0, 9.0]]
    with PointTracker(split, points_per_call=2) as tracker:
        calls = []
        encode = tracker.model.prepare
        tracker.model.prepare = lambda *a, **k: calls.append(1) or encode(*a, **k)
        tracks = tracker.track(frames, queries)
    assert len(calls) == 1
    with PointTracker(export_once(seeded_profile("b0-tiny"))) as tracker:
        expected = tracker.track(frames, queries)
    np.testing.assert_allclose(tracks.xy, expected.xy, rtol=0, atol=TOLERANCE_PX)


def test_names_of_a_split_export(split: Path) -> None:
    paths = find_split_files(split.with_name("model.encoder.onnx"))
    assert (
        paths == find_split_files(split) == find_split_files(split.with_name("model.tracker.onnx"))
    )
    assert find_split_files(export_once(seeded_profile("b0-tiny"))) is None


def test_files_of_different_exports_are_not_mixed(split: Path, tmp_path: Path) -> None:
    other = export_once(load_profile("b0-tiny"), split=True)
    shutil.copytree(other.parent, tmp_path, dirs_exist_ok=True)
    shutil.copy(split.with_name("model.encoder.onnx"), tmp_path)
    with pytest.raises(ModelFileError, match=r"does not belong to .* its weights is"):
        open_split(tmp_path / "model.onnx")


def test_files_that_make_and_take_one_tensor_in_two_sizes_are_refused(
    split: Path, tmp_path: Path
) -> None:
    shutil.copytree(split.parent, tmp_path, dirs_exist_ok=True)
    query = onnx.load(tmp_path / "model.query.onnx")
    (grid,) = (given for given in query.graph.input if given.name == "grid_hires")
    grid.type.tensor_type.shape.dim[2].dim_value = 5
    onnx.save(query, tmp_path / "model.query.onnx")
    with pytest.raises(ModelFileError, match=r"query.onnx does not belong .* grid_hires is .* 5,"):
        open_split(tmp_path / "model.onnx")


def test_a_missing_or_renamed_file_is_named(split: Path, tmp_path: Path) -> None:
    for part in ("encoder", "query"):
        shutil.copy(split.with_name(f"model.{part}.onnx"), tmp_path / f"model.{part}.onnx")
    with pytest.raises(ModelFileError, match=r"no model file .*model\.tracker\.onnx"):
        open_split(tmp_path / "model.encoder.onnx")
    shutil.copy(split.with_name("model.query.onnx"), tmp_path / "model.tracker.onnx")
    with pytest.raises(ModelFileError, match="says that it is the query file"):
        open_split(tmp_path / "model.encoder.onnx")


def test_a_part_alone_is_no_model(split: Path) -> None:
    with pytest.raises(ModelFileError, match="is the tracker file of a split export"):
        open_session(split.with_name("model.tracker.onnx"))
