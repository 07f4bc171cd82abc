"""A scene out of an example: what is read, and what is refused."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from rendered_records import (
    Feature,
    as_png,
    encode_example,
    golden_arrays,
    scene_features,
    write_records,
)

from locoexport.errors import InputError
from locoexport.training.data.rendered.scene import SCENE_KEYS, count_frames, read_scene
from locoexport.training.data.rendered.tfrecord import Example, index_records, read_example


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return golden_arrays()


@pytest.fixture
def features(golden) -> dict[str, Feature]:
    return scene_features(golden)


@pytest.fixture
def decode(tmp_path) -> Callable[[dict[str, Feature]], Example]:
    def through_a_file(features: dict[str, Feature]) -> Example:
        path = write_records(tmp_path / "a", [encode_example(features)])
        return read_example(path, index_records(path).records[0], SCENE_KEYS)

    return through_a_file


@pytest.mark.parametrize("span", [slice(0, 8), slice(2, 5)])
def test_a_scene_is_what_was_written(golden, features, decode, span) -> None:
    example = decode(features)
    assert count_frames(example) == 8
    scene = read_scene(example, span)
    assert scene.name == "golden"
    np.testing.assert_array_equal(scene.video, golden["video"][span])
    np.testing.assert_array_equal(scene.segments, golden["segmentations"][span, ..., 0])
    np.testing.assert_array_equal(scene.depth, golden["depth"][span, ..., 0])
    for number, frame in enumerate(range(8)[span]):
        np.testing.assert_array_equal(scene.normals[number], golden["normal"][frame])
        np.testing.assert_array_equal(
            scene.coordinates[number], golden["object_coordinates"][frame]
        )
    np.testing.assert_array_equal(scene.boxes, golden["bboxes_3d"][:, span])
    np.testing.assert_array_equal(scene.turns, golden["quaternions"][:, span])
    np.testing.assert_array_equal(scene.camera_places, golden["camera_positions"][span])
    np.testing.assert_array_equal(scene.camera_turns, golden["camera_quaternions"][span])
    assert (scene.focal_length, scene.sensor_width) == (35.0, 32.0)
    assert scene.depth_range == tuple(golden["depth_range"].tolist())


@pytest.mark.parametrize("key", sorted(SCENE_KEYS - {"metadata/video_name"}))
def test_whatever_is_missing_is_named(features, decode, key) -> None:
    del features[key]
    assert key in refuse(decode(features))


def test_a_scene_needs_no_name(features, decode) -> None:
    del features["metadata/video_name"]
    assert read_scene(decode(features), slice(0, 8)).name == ""


@pytest.mark.parametrize(
    "key", ["camera/positions", "camera/quaternions", "instances/bboxes_3d", "metadata/depth_range"]
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite(features, decode, key, value) -> None:
    features[key][1] = value
    assert refuse(decode(features)) == f"{key} holds NaN or infinity."


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("camera/positions", "camera/positions has 23 numbers; expected 8×3."),
        ("instances/bboxes_3d", "instances/bboxes_3d has 383 numbers; expected K×8×8×3."),
        ("metadata/depth_range", "metadata/depth_range has 1 numbers; expected 2."),
    ],
)
def test_a_list_of_another_length(features, decode, key, says) -> None:
    features[key] = features[key][:-1]
    assert refuse(decode(features)) == says


def test_a_camera_without_a_sensor(features, decode) -> None:
    features["camera/sensor_width"] = np.zeros(1)
    assert "expected a length above 0" in refuse(decode(features))


def test_instances_that_do_not_fit(features, golden, decode) -> None:
    features["instances/quaternions"] = np.ravel(golden["quaternions"][:1]).astype(np.float32)
    assert "has 1 instances" in refuse(decode(features))
    features |= {"instances/bboxes_3d": np.ravel(golden["bboxes_3d"][:1]).astype(np.float32)}
    assert refuse(decode(features)) == "segmentations names instance 2, and there are 1."


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (b"", "no whole PNG file"),
        (b"\xff\xd8\xff\xe0 a JPEG file", "no whole PNG file"),
        (as_png(np.zeros((64, 64, 1), np.uint16))[:-40], "no whole PNG file"),
        (as_png(np.zeros((64, 64, 1), np.uint8)), "1 channels of uint8; expected 1 of uint16"),
        (as_png(np.zeros((64, 64, 3), np.uint16)), "3 channels of uint16; expected 1"),
        (as_png(np.zeros((64, 32, 1), np.uint16)), "has 64x32 pixels; expected 64x64"),
    ],
)
def test_a_frame_that_is_not_what_it_should_be(features, decode, frame, says) -> None:
    features["depth"][3] = frame
    message = refuse(decode(features))
    assert message.startswith("a frame of depth")
    assert says in message


def test_a_frame_with_a_broken_inside(features, decode) -> None:
    file = bytearray(features["segmentations"][0])
    at = file.index(b"IDAT") + 4
    file[at : at + 12] = bytes(12)
    features["segmentations"][0] = bytes(file)
    assert "cannot be decoded" in refuse(decode(features))


def test_a_frame_that_would_take_all_memory(features, decode) -> None:
    file = bytearray(as_png(np.zeros((4, 4, 1), np.uint16)))
    file[16:24] = (60_000).to_bytes(4, "big") * 2
    features["depth"][0] = bytes(file)
    assert "3,600,000,000 pixels" in refuse(decode(features))


def test_fewer_frames_of_one_kind(features, decode) -> None:
    features["depth"] = features["depth"][:-1]
    assert refuse(decode(features)) == "depth has 7 frames, and video 8."


def test_normals_are_decoded_when_a_frame_of_them_is_asked_for(features, decode) -> None:
    features["normal"][5] = b"broken"
    scene = read_scene(decode(features), slice(0, 8))
    assert scene.normals[4].shape == (64, 64, 3)
    assert scene.normals[4] is scene.normals[4]
    with pytest.raises(InputError, match="a frame of normal is no whole PNG"):
        scene.normals[5]


def test_frames_outside_the_span_are_not_decoded(features, decode) -> None:
    features["video"][7] = b"broken"
    assert read_scene(decode(features), slice(0, 7)).video.shape == (7, 64, 64, 3)


def test_colours_come_as_red_green_blue() -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    blue_first = cv2.imdecode(np.frombuffer(as_png(red), np.uint8), cv2.IMREAD_COLOR)
    assert blue_first[0, 0].tolist() == [0, 0, 255]


def refuse(example: Example) -> str:
    with pytest.raises(InputError) as caught:
        read_scene(example, slice(0, 8))
    return str(caught.value)
