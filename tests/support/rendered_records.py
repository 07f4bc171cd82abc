"""Records of panning MOVi-E, written as TensorFlow Datasets does, but without TensorFlow.

The protobuf is put together by hand, from its encoding: what reads it shares no code with this.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import google_crc32c
import numpy as np

GOLDEN = Path(__file__).parents[1] / "training" / "goldens" / "kubric_tracks.npz"
TRAIN = "panning_movi_e-train.tfrecord-{:05}-of-{:05}"
IMAGES = {
    "video": "video",
    "segmentations": "segmentations",
    "depth": "depth",
    "normal": "normal",
    "object_coordinates": "object_coordinates",
}
NUMBERS = {
    "metadata/depth_range": "depth_range",
    "instances/bboxes_3d": "bboxes_3d",
    "instances/quaternions": "quaternions",
    "camera/focal_length": "focal_length",
    "camera/sensor_width": "sensor_width",
    "camera/positions": "camera_positions",
    "camera/quaternions": "camera_quaternions",
}


@dataclass(frozen=True)
class PackedInts:
    """The bytes of an int64 list as they stand in the file, be they varints or not."""

    data: bytes


Feature = list[bytes] | np.ndarray | PackedInts


def golden_arrays() -> dict[str, np.ndarray]:
    """A scene of 8 frames of 64x64, two boxes, and what kubric's own code makes of it."""
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


def scene_features(arrays: Mapping[str, np.ndarray], name: str = "golden") -> dict[str, Feature]:
    """The features of a record of such a scene, with flows and a few others that nothing reads."""
    frames, height, width = arrays["video"].shape[:3]
    flow = np.full(frames * height * width * 2, 32768, np.uint16)
    features: dict[str, Feature] = {
        key: [as_png(frame) for frame in arrays[source]] for key, source in IMAGES.items()
    }
    features |= {
        key: np.ravel(arrays[source]).astype(np.float32) for key, source in NUMBERS.items()
    }
    return features | {
        "metadata/video_name": [name.encode()],
        "metadata/num_frames": np.array([frames]),
        "forward_flow": PackedInts(varints(flow)),
        "backward_flow": PackedInts(varints(flow)),
        "instances/asset_id": [b"a", b"b"],
        "events/collisions/force": np.zeros(0, np.float32),
    }


def as_png(frame: np.ndarray) -> bytes:
    """RGB or one channel, 8 or 16 bits."""
    shown = frame[..., ::-1] if frame.shape[-1] == 3 else frame
    written, file = cv2.imencode(".png", shown)
    assert written
    return file.tobytes()


def encode_example(features: Mapping[str, Feature]) -> bytes:
    """A ``tf.train.Example``."""
    entries = b"".join(
        _field(1, _field(1, key.encode()) + _field(2, _feature(value)))
        for key, value in features.items()
    )
    return _field(1, entries)


def as_record(data: bytes) -> bytes:
    """Length and data, each with its masked CRC32C."""
    length = struct.pack("<Q", len(data))
    return length + checksum(length) + data + checksum(data)


def checksum(data: bytes) -> bytes:
    """Masked, as four bytes."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32)


def write_records(path: Path, records: Iterable[bytes]) -> Path:
    """A TFRecord file of such data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(as_record(record) for record in records))
    return path


def varints(values: np.ndarray) -> bytes:
    """uint16 values as protobuf packs them: seven bits a byte, the lowest first."""
    wide = values.astype(np.uint32).ravel()
    parts = np.stack((wide & 127, wide >> 7 & 127, wide >> 14), -1).astype(np.uint8)
    more = np.stack((wide >= 1 << 7, wide >= 1 << 14, np.zeros(len(wide), bool)), -1)
    kept = np.stack((np.ones(len(wide), bool), more[:, 0], more[:, 1]), -1)
    return (parts | (more << 7).astype(np.uint8))[kept].tobytes()


def _feature(value: Feature) -> bytes:
    if isinstance(value, PackedInts):
        return _field(3, _field(1, value.data))
    if isinstance(value, list):
        return _field(1, b"".join(_field(1, each) for each in value))
    if value.dtype.kind == "f":
        return _field(2, _field(1, value.astype("<f4").tobytes()))
    return _field(3, _field(1, varints(value)))


def _field(number: int, data: bytes) -> bytes:
    """A field of which the length is known (wire type 2)."""
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    coded = bytearray()
    while value >= 128:
        coded.append(value & 127 | 128)
        value >>= 7
    return bytes([*coded, value])
