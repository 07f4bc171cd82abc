"""benchmarks/speed_sides.py: files to be within a limit, errors, and torch.compile's outcome."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from locoexport.errors import MachineError
from locoexport.runtime.session.single import RawTracks

HW = (32, 64)


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    import speed_sides

    return speed_sides


class Moved:
    """Answers with the queries' own places, moved by some pixels of the model's."""

    def __init__(self, name: str, moved_px: float, hidden: bool = False) -> None:
        self.name, self.moved_px, self.resolution_hw = name, moved_px, HW
        self.logit = np.float32(9 if hidden else -9)

    def prepare(self, video, query_points_tyx) -> None:
        assert video.shape == (1, 24, *HW, 3)
        assert query_points_tyx.shape == (1, 64, 3)
        self.asked = query_points_tyx

    def run(self) -> None:
        if self.name == "broken":
            raise MachineError("broken failed: no compiler")

    def outputs(self) -> RawTracks:
        xy = np.repeat(self.asked[:, :, None, [2, 1]], 24, axis=2).astype(np.float32)
        xy[..., 0] += self.moved_px
        logits = np.full(xy.shape[:3], self.logit)
        return RawTracks(xy, logits, logits)


def test_errors_are_pixels_of_the_scored_size(script) -> None:
    errors = script.measure_errors([Moved("eager", 0.0), Moved("same", 0.0), Moved("far", 2.0)], HW)
    assert list(errors) == ["same", "far"]
    assert (errors["same"]["p50_px"], errors["same"]["p99_px"]) == (0.0, 0.0)
    assert errors["far"]["p99_px"] == pytest.approx(2.0 * 256 / HW[1], rel=1e-4)
    assert errors["far"]["finite"] is True
    assert errors["far"]["compared"] > 1000


def test_what_is_no_number_is_said(script) -> None:
    errors = script.measure_errors([Moved("eager", 0.0), Moved("lost", np.nan)], HW)
    found = errors["lost"]
    assert (found["p50_px"], found["p99_px"], found["finite"]) == (None, None, False)
    hidden = script.measure_errors([Moved("eager", 0.0, hidden=True), Moved("far", 1.0)], HW)
    assert (hidden["far"]["p99_px"], hidden["far"]["compared"]) == (None, 0)


def test_a_file_belongs_to_one_variant(script, tmp_path) -> None:
    path = tmp_path / "tuned=best@home.onnx"
    path.write_bytes(b"")
    text = f"b5={path}@openvino:precision=bf16"
    assert script.proven_file(text, "b0") is None
    found = script.proven_file(text, "b5")
    assert found == script.ProvenFile(
        path, "openvino:precision=bf16", "tuned=best@home (openvino:precision=bf16)"
    )
    plain = tmp_path / "plain.onnx"
    plain.write_bytes(b"")
    assert script.proven_file(f"b5={plain}", "b5").provider == "cpu"
    for wrong in (str(path), f"b5={tmp_path}/none.onnx", f"={path}@cpu"):
        with pytest.raises(SystemExit, match="expected VARIANT=FILE"):
            script.proven_file(wrong, "b5")


def test_a_failed_compilation_keeps_its_message(script) -> None:
    failed = script.compile_model(Moved("broken", 0.0))
    assert failed.side is None
    assert failed.record()["failed"] == "broken failed: no compiler"
    side = Moved("torch compile", 0.0)
    done = script.compile_model(side)
    assert done.side is side
    record = SimpleNamespace(**done.record())
    assert (record.frames, record.points, record.failed) == (*script.COMPILED_AT, None)
    assert record.seconds >= 0
