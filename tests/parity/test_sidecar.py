"""What a sidecar says, held against itself: no field of it is believed before it is checked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from locoexport.contract.profile import Tolerance
from locoexport.errors import SidecarError
from locoexport.parity.pointwise import Conditioning, TrackArrays
from locoexport.parity.quantiles import PrecisionTolerance
from locoexport.parity.sidecar import (
    Sidecar,
    SidecarCase,
    SidecarMaker,
    read_sidecar,
    write_sidecar,
)

B, T, N, SIDE = 2, 3, 4, 8
HASHES = {"whole": "a" * 64}
MAKER = SidecarMaker("0.1.0", "b0-tiny", "b" * 64, "seeded")


def sidecar(*, small: bool = False) -> Sidecar:
    random = np.random.default_rng(0)
    floats = lambda *shape: random.random(shape, np.float32)  # noqa: E731
    reference = TrackArrays(floats(B, N, T, 2), floats(B, N, T), floats(B, N, T))
    noise = None if small else Conditioning(floats(B, N, T), floats(B, N), floats(B, N))
    blocks = random.integers(0, 255, (B, T, 3, 4, 3), np.uint8)
    case = SidecarCase("a case", blocks, SIDE, floats(B, N, 3), reference, noise)
    tolerance = (
        PrecisionTolerance("fp16", 0.25, 0.02, "a test") if small else Tolerance(1, 2, "a test")
    )
    return Sidecar(HASHES, tolerance, "2.13.0", (case,), 0.1 if small else None, MAKER)


@pytest.fixture
def forge(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a sidecar whose header or arrays were changed."""

    def write(header: dict[str, Any] | None = None, **arrays: Any) -> Path:
        path = tmp_path / "m.parity.npz"
        write_sidecar(path, sidecar())
        with np.load(path) as stored:
            values = dict(stored)
        said = json.loads(bytes(values["header"])) | (header or {})
        values["header"] = np.frombuffer(json.dumps(said).encode(), np.uint8)
        for name, value in arrays.items():
            values[f"0.{name}"] = value
        np.savez(path, **{k: v for k, v in values.items() if v is not None})
        return path

    return write


@pytest.mark.parametrize("small", [False, True])
def test_what_is_written_is_read(tmp_path: Path, small: bool) -> None:
    wrote = sidecar(small=small)
    write_sidecar(tmp_path / "m.parity.npz", wrote)
    read = read_sidecar(tmp_path / "m.parity.npz", HASHES)
    assert (read.tolerance, read.made_by) == (wrote.tolerance, MAKER)
    assert read.exported_p99_px == wrote.exported_p99_px
    np.testing.assert_array_equal(read.cases[0].video, wrote.cases[0].video)
    np.testing.assert_array_equal(
        read.cases[0].reference.tracks_xy, wrote.cases[0].reference.tracks_xy
    )


def test_early_files_do_not_say_who_made_them(forge) -> None:
    assert read_sidecar(forge({"made_by": None}), HASHES).made_by is None


def said(**tolerance: Any) -> dict[str, Any]:
    return {"tolerance": {"tracks_px": 1.0, "logits": 1.0, "origin": "x"} | tolerance}


@pytest.mark.parametrize(
    "header",
    [
        *(said(tracks_px=value) for value in (np.nan, np.inf, -1, "abc", None, [1, 2], True)),
        {"tolerance": 5},
        *({"cases": value} for value in ([], 5, {"a": 1}, [5], [{"block_side": 1}])),
        *(
            {"cases": [{"name": "x", "block_side": side}]}
            for side in (0, -1, 4000, 10**12, np.inf, "x", None, 2.5)
        ),
        {"cases": [{"name": "x", "block_side": SIDE}] * 3},
        *({"model_sha256": value} for value in (None, ["a"], "a" * 64, {}, {"whole": "b" * 64})),
        *({"schema": value} for value in (["a"], None, "locoexport.parity-sidecar/9")),
        {"schema": "locoexport.precision-sidecar/1"},
        {"made_by": {"locoexport": "1"}},
        {"made_by": 5},
        {"exported_p99_px": "x"},
    ],
    ids=lambda header: json.dumps(header)[:60],
)
def test_a_header_that_cannot_be(forge, header) -> None:
    with pytest.raises(SidecarError, match=r"m\.parity\.npz"):
        read_sidecar(forge(header), HASHES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("blocks_u8", np.zeros((3, 3), np.uint8)),
        ("blocks_u8", np.zeros((B, T, 3, 4, 3))),
        ("blocks_u8", np.uint8(3)),
        ("blocks_u8", np.zeros((B, T, 0, 4, 3), np.uint8)),
        ("blocks_u8", np.array(["a"])),
        ("tracks_xy", np.zeros(1, np.float32)),
        ("tracks_xy", np.zeros((B, N, T, 2))),
        ("tracks_xy", None),
        ("occlusion", np.zeros((1, 1), np.float32)),
        ("occlusion", np.zeros((B, N, T), complex)),
        ("occlusion", np.zeros((B, N, T), "M8[s]")),
        ("noise_px", np.full((B, N), np.inf, np.float32)),
        ("noise_px", np.zeros((7, 9), np.float32)),
        ("peak_gap", np.zeros(7, np.float32)),
        ("query_points_tyx", np.zeros(7, np.float32)),
        ("query_points_tyx", np.zeros((B, N, 3))),
    ],
)
def test_arrays_that_do_not_fit(forge, name, value) -> None:
    with pytest.raises(SidecarError, match=r"m\.parity\.npz"):
        read_sidecar(forge(**{name: value}), HASHES)


def test_a_header_nested_without_end(forge, tmp_path: Path) -> None:
    path = forge()
    with np.load(path) as stored:
        values = dict(stored)
    values["header"] = np.frombuffer(b"[" * 90_000, np.uint8)
    np.savez(path, **values)
    with pytest.raises(SidecarError, match="is damaged or no sidecar"):
        read_sidecar(path, HASHES)


def test_a_video_that_blocks_swell_to(forge) -> None:
    # 3.8 MB of equal bytes are a few kilobytes packed, and 980 MB of video.
    wide = np.zeros((1, 300, 65, 65, 3), np.uint8)
    with pytest.raises(SidecarError, match="LOCOEXPORT_MAX_SIDECAR_BYTES"):
        read_sidecar(forge(blocks_u8=wide), HASHES)
