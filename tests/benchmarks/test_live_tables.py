"""The tables of docs/live.md: means over what every way has, ways in their order."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from live_tables import quality_tables


def test_means_are_over_the_sequences_that_every_way_has() -> None:
    figures = {
        "generated/72/live 16/0": [0.5, 0.6, 0.7, 1.0],
        "generated/72/live 16/1": [0.7, 0.8, 0.9, 2.0],
        "generated/72/live 2/0": [0.4, 0.5, 0.6, 3.0],
        "generated/72/live 2/1": [0.5, 0.6, 0.7, 4.0],
        "generated/72/one window/0": [0.6, 0.7, 0.8, 0.5],
        "generated/72/one window/1": [0.6, 0.7, 0.8, 0.5],
        "generated/72/one window/2": [0.0, 0.0, 0.0, 99.0],
    }
    text = quality_tables(figures)
    assert "2 generated sequences of 72 frames" in text
    rows = [line for line in text.splitlines() if line.startswith(("| one", "| live"))]
    assert rows == [
        "| one window | 60.0 | 70.0 | 80.0 | 0.50 |",
        "| live 2 | 45.0 | 55.0 | 65.0 | 3.50 |",
        "| live 16 | 60.0 | 70.0 | 80.0 | 1.50 |",
    ]


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert quality_tables({}) == ""
    text = quality_tables({"hidden/4/live 8": [0.5, 1.0, 0.25], "drift/live 8/0": [9, 0.5, 1.0]})
    assert "| 4 | live 8 | 50% | 100% | 25% |" in text
    assert "| live 8 | 0.50 px, 100% |" in text
    assert "frames 1 to 99" in text


@pytest.mark.parametrize("hidden", [4, 32])
def test_a_scene_hides_its_square(hidden: int) -> None:
    from live_scenes import hidden_scene

    scene = hidden_scene(0, hidden)
    assert scene.hidden_until - scene.hidden_from == hidden
    x, y = scene.tracks_xy[0].astype(int).T
    colours = scene.frames_rgb[range(len(x)), y, x].astype(int)
    shown = abs(colours - colours[0]).max(1)
    assert (shown[: scene.hidden_from] < 20).all()
    assert (shown[scene.hidden_from : scene.hidden_until] > 20).all()
    assert (shown[scene.hidden_until :] < 20).all()
