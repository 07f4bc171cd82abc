"""Predicted peaks beside what was measured (ONNX Runtime 1.31.1 CPU, one thread, the first run)."""

import onnx_ir as ir
import pytest
from sampling_graphs import sampling_model

import locoexport
from locoexport.lowering.volumetric.grid_sample import (
    VolumetricGridSample,
    predicted_peak_bytes,
)
from locoexport.notices import Notice

PNNX = ((4, 64, 8, 40, 60), (4, 7, 512, 128, 3))
MEASURED_MB = [
    ((1, 4, 32, 32, 32), (10**5, 1, 1), 16.8, 20.7, 88.2),
    ((2, 3, 8, 40, 60), (7, 64, 128), 18.1, 23.0, 27.2),
    ((4, 64, 8, 40, 60), (7, 32, 64), 72.8, 88.2, 180.6),
    ((4, 64, 8, 40, 60), (7, 64, 128), 221.5, 291.5, 720.5),
    ((8, 16, 8, 40, 60), (7, 32, 64), 46.3, 53.9, 104.0),
    ((2, 16, 16, 32, 32), (16, 32, 32), 12.8, 17.6, 47.6),
    ((1, 32, 16, 32, 32), (16, 32, 32), 12.1, 14.2, 43.3),
    ((1, 1, 64, 64, 64), (64, 64, 64), 31.0, 39.2, 217.2),
]
"""Volume, points, then gather with border, gather with zeros, planar with border."""


def sample_of(volume, grid, padding="border"):
    lowering = VolumetricGridSample("gather")
    lowering(ir.from_proto(sampling_model("linear", padding, 0, volume, grid)))
    return lowering.lowered[0].sample


@pytest.mark.parametrize(("volume", "points", "border", "zeros", "planar"), MEASURED_MB)
def test_predictions_are_near_what_was_measured(volume, points, border, zeros, planar) -> None:
    grid = (volume[0], *points, 3)
    for padding, to, measured in (
        ("border", "gather", border),
        ("zeros", "gather", zeros),
        ("border", "planar", planar),
    ):
        predicted = predicted_peak_bytes(sample_of(volume, grid, padding), to)
        assert predicted is not None
        assert 0.8 < predicted / (measured * 1e6) < 1.2, (padding, to)


def test_an_open_size_has_no_prediction() -> None:
    for to in ("gather", "planar"):
        assert predicted_peak_bytes(sample_of(("n", *PNNX[0][1:]), ("n", *PNNX[1][1:])), to) is None


def warnings_of(to, *shapes):
    heard: list[Notice] = []
    model = sampling_model("linear", "zeros", 0, *shapes)
    report = locoexport.rewrite(model, to=to, check=False, notify=heard.append)
    return report.rewritten[0].peak_bytes, [notice.text for notice in heard if notice.warning]


def test_much_memory_is_a_warning_that_names_the_other_lowering() -> None:
    peak, (text,) = warnings_of("gather", *PNNX)
    assert peak is not None
    assert peak > 10**9
    assert text.startswith("sample: --to gather takes about 2.2 GB a run; --to planar is predicted")
    peak, (text,) = warnings_of("planar", (1, 4, 64, 64, 64), (1, 10**5, 1, 1, 3))
    assert text.startswith("sample: --to planar takes about ")
    assert "--to gather would take" in text
    assert warnings_of("gather", (1, 4, 64, 64, 64), (1, 10**5, 1, 1, 3))[1] == []
