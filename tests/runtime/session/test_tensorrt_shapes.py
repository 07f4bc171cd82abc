"""A profile's ranges of shapes, through the file's metadata, as TensorRT's options."""

from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest
from synthetic_tracker import synthetic_metadata, tracker_bytes

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.errors import ModelFileError
from locoexport.runtime.session.providers import create_session
from locoexport.runtime.session.tensorrt_shapes import read_shape_options, shape_options

RANGES = ((1, 1, 1), (1, 24, 64), (2, 48, 256))


def test_ranges_become_options() -> None:
    metadata = replace(synthetic_metadata((256, 384)), shape_ranges=RANGES)
    assert shape_options(metadata.to_properties()) == {
        "trt_profile_min_shapes": "video_input:1x1x256x384x3,query_input:1x1x3",
        "trt_profile_opt_shapes": "video_input:1x24x256x384x3,query_input:1x64x3",
        "trt_profile_max_shapes": "video_input:2x48x256x384x3,query_input:2x256x3",
    }


def test_ranges_are_read_from_a_file(tmp_path: Path) -> None:
    metadata = replace(synthetic_metadata(), shape_ranges=RANGES)
    model = onnx.load_model_from_string(tracker_bytes(metadata_hw=None))
    onnx.helper.set_model_props(model, metadata.to_properties())
    onnx.save(model, tmp_path / "a.onnx")
    found = read_shape_options(str(tmp_path / "a.onnx"))
    assert found["trt_profile_max_shapes"] == "video_input:2x48x24x32x3,query_input:2x256x3"


def test_a_tensorrt_session_asks_for_the_ranges_of_its_file(tmp_path: Path, monkeypatch) -> None:
    """What is handed to ONNX Runtime; there is no TensorRT here to build an engine."""
    metadata = replace(synthetic_metadata(), shape_ranges=RANGES)
    model = onnx.load_model_from_string(tracker_bytes(metadata_hw=None))
    onnx.helper.set_model_props(model, metadata.to_properties())
    onnx.save(model, tmp_path / "a.onnx")
    asked = []
    open_session = onnxruntime.InferenceSession

    def record(*arguments, **keywords):
        asked.append(keywords["providers"])
        keywords["providers"] = ["CPUExecutionProvider"]
        return open_session(*arguments, **keywords)

    monkeypatch.setattr(onnxruntime, "InferenceSession", record)
    create_session(str(tmp_path / "a.onnx"), "tensorrt", onnxruntime.SessionOptions())
    name, options = asked[-1][0]
    assert name == "TensorrtExecutionProvider"
    assert options["trt_profile_min_shapes"] == "video_input:1x1x24x32x3,query_input:1x1x3"


def test_a_file_without_ranges_has_none() -> None:
    assert shape_options(synthetic_metadata().to_properties()) == {}
    assert shape_options({"producer": "somebody"}) == {}


def test_ranges_come_back_from_metadata() -> None:
    metadata = replace(synthetic_metadata(), shape_ranges=RANGES)
    properties = metadata.to_properties()
    assert ArtifactMetadata.from_properties(properties).shape_ranges == RANGES
    for damaged in (
        "[]",
        "[[1, 2], [1, 2], [1, 2]]",
        "{",
        '"text"',
        "[[1,2,3],[1,2,3],[1,2,null]]",
    ):
        with pytest.raises(ModelFileError):
            ArtifactMetadata.from_properties(properties | {"locoexport.shape_ranges": damaged})
