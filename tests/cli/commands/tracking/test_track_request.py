"""How the options of ``track`` are read: which way they ask for, and what records keep of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from locoexport.cli.commands.tracking.track_request import (
    ObjectRequest,
    TrackRequest,
    select_frames,
    with_default_points,
)
from locoexport.errors import UsageError
from locoexport.pipeline.tracking.objects import ObjectOutputs
from locoexport.runtime.objects.rules import ObjectRules, find_preset
from locoexport.runtime.queries.sources import PointSources
from locoexport.runtime.video.selection import Selection

NO_OBJECT = ObjectRequest((), None, None, "ellipse", "2x3", 10, 2.0, "origin", "1/4", 0.3, 3)
REQUEST = TrackRequest(
    Path("clips/a.mov"),
    Path("model.onnx"),
    PointSources(),
    NO_OBJECT,
    ObjectOutputs(),
    Selection(),
    provider="cpu",
    window=None,
    memory=None,
    compare_windows=False,
    force=False,
)
ONE_BOX = replace(NO_OBJECT, boxes=("1,2,3,4",))


def test_which_requests_go_the_way_through_objects() -> None:
    assert not REQUEST.needs_objects
    assert replace(REQUEST, objects=ONE_BOX).needs_objects
    assert replace(REQUEST, objects=replace(NO_OBJECT, detect="face")).needs_objects
    for outputs, needs in (
        (ObjectOutputs(boxes_file=Path("a.csv")), True),
        (ObjectOutputs(tracks_file=Path("a.PKL")), True),
        (ObjectOutputs(tracks_file=Path("a.npz")), False),
        (ObjectOutputs(overlay=Path("a.mp4")), False),
    ):
        assert replace(REQUEST, outputs=outputs).needs_objects == needs


def test_an_overlay_is_named_after_the_clip_where_no_output_is() -> None:
    assert REQUEST.clip_outputs() == ObjectOutputs(overlay=Path("a.tracked.mp4"))
    named = ObjectOutputs(tracks_file=Path("a.csv"))
    assert replace(REQUEST, outputs=named).clip_outputs() == named


def test_a_grid_of_points_where_neither_points_nor_objects_are_asked_for() -> None:
    grid, one = PointSources(points="grid:8"), PointSources(queries=("0,1,2",))
    assert REQUEST.point_sources() == grid
    assert replace(REQUEST, points=one).point_sources() == one
    assert replace(REQUEST, objects=ONE_BOX).point_sources() == PointSources()
    assert with_default_points(PointSources(mask_erosion_px=5.0)) == grid


def test_numbers_in_the_rules_are_read() -> None:
    sources = replace(ONE_BOX, outlier_deviations=1.5, context=4).sources()
    assert (sources.boxes, sources.detector, sources.segmenter) == (("1,2,3,4",), None, "ellipse")
    assert (sources.rules.least_visible, sources.rules.grid_hw) == (0.25, (2, 3))
    assert (sources.rules.outlier_deviations, sources.rules.context_frames) == (1.5, 4)


def test_a_preset_yields_to_what_was_typed() -> None:
    asked = ONE_BOX.with_preset("face-parsing", ["least_visible", "object_grid", "detect"])
    assert (asked.preset, asked.least_visible, asked.grid) == ("face-parsing", "1/4", "2x3")
    sources = asked.sources()
    assert sources.preset == "face-parsing"
    assert sources.rules == ObjectRules(
        outlier_deviations=1.0,
        displacement="step",
        least_visible=0.25,
        grid_hw=(2, 3),
        gap_box="points",
    )
    whole = ONE_BOX.with_preset("face-parsing", []).sources()
    assert whole.rules == find_preset("face-parsing").rules
    with pytest.raises(UsageError, match="There is no preset 'faces'; there is face-parsing"):
        ONE_BOX.with_preset("faces", [])


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--preset", {"preset": "face-parsing"}),
        ("--mask-every", {"mask_every": 3}),
        ("--segmenter-model", {"segmenter_model": Path("a.onnx")}),
    ],
)
def test_what_is_for_objects_needs_objects(option: str, values: dict[str, Any]) -> None:
    ONE_BOX.refuse_without_objects()
    replace(ONE_BOX, **values).refuse_without_objects()
    with pytest.raises(UsageError, match=f"{option} is for objects"):
        replace(NO_OBJECT, **values).sources()


def test_a_detectors_file_needs_a_detector() -> None:
    with pytest.raises(UsageError, match="name one with --detect"):
        replace(ONE_BOX, detector_model=Path("yunet.onnx")).sources()


def test_windows_are_compared_for_points_alone() -> None:
    REQUEST.refuse_comparison()
    with pytest.raises(UsageError, match="--compare-windows is for points of one clip"):
        replace(REQUEST, compare_windows=True).refuse_comparison()


def test_files_are_those_that_points_and_objects_come_from(tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("1,2,3,4\n")
    request = replace(
        REQUEST,
        points=PointSources(query_file=Path("q.csv"), masks=("m.png@2:3",)),
        objects=replace(
            NO_OBJECT, boxes=("1,2,3,4", str(boxes)), detect="face", detector_model=Path("y.onnx")
        ),
    )
    assert request.files() == (Path("q.csv"), Path("m.png"), boxes, Path("y.onnx"))
    assert REQUEST.files() == ()


def test_a_record_keeps_what_was_asked_for_as_json() -> None:
    request = replace(
        REQUEST,
        points=PointSources(queries=("0,1,2",), query_file=Path("q.csv")),
        objects=replace(ONE_BOX, detector_model=Path("y.onnx")),
        selection=select_frames(0.5, None, 2, "48x64"),
        window=16,
        memory="1GiB",
    )
    # These names and values stand in the records of earlier versions: with others, a folder that
    # is done would be refused.
    assert json.loads(json.dumps(request.described())) == {
        "points": None,
        "queries": ["0,1,2"],
        "query_file": "q.csv",
        "masks": [],
        "mask_erosion_px": 2.0,
        "features": None,
        "boxes": ["1,2,3,4"],
        "detect": None,
        "detector_model": "y.onnx",
        "segment": "ellipse",
        "grid": "2x3",
        "context": 10,
        "outlier_deviations": 2.0,
        "displacement": "origin",
        "least_visible": "1/4",
        "least_overlap": 0.3,
        "least_detections": 3,
        "start_s": 0.5,
        "end_s": None,
        "stride": 2,
        "resize_hw": [48, 64],
        "max_frames": None,
        "window": 16,
        "memory": "1GiB",
    }


def test_a_record_keeps_what_earlier_versions_had_not_got_where_it_is_asked_for() -> None:
    objects = replace(
        ONE_BOX, gap_box="points", mask_every=5, segmenter_model=Path("s.onnx"), preset="p"
    )
    before, after = REQUEST.described(), replace(REQUEST, objects=objects).described()
    new = {"gap_box": "points", "mask_every": 5, "segmenter_model": "s.onnx"}
    assert after == before | {"boxes": ("1,2,3,4",)} | new
    assert replace(REQUEST, objects=objects).files() == (Path("s.onnx"),)


def test_part_of_a_clip() -> None:
    assert select_frames(0.0, None, 1, None) == Selection()
    assert select_frames(1.0, 2.5, 3, "4x6") == Selection(1.0, 2.5, 3, (4, 6))
    with pytest.raises(UsageError):
        select_frames(2.0, 1.0, 1, None)
