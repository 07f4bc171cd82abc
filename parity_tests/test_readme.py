"""The README's Python example, run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from locoexport.probes import textured_video
from locoexport.runtime.video import write_mp4

README = Path(__file__).parents[1] / "README.md"


def test_the_python_example_runs(tmp_path, monkeypatch) -> None:
    example = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert example is not None
    frames = textured_video(6, (160, 208), seed=0)
    monkeypatch.chdir(tmp_path)
    write_mp4("clip.mp4", np.uint8(frames * 127 + 128), 25)
    names: dict[str, object] = {}
    exec(compile(example[1], "README.md", "exec"), names)
    tracks = names["tracks"]
    assert tracks.xy.shape == (1, 6, 2)
    # The texture drifts by (2.3, -1.1) pixels a frame; the tracker is told nothing of it.
    drift = tracks.xy[0, -1] - tracks.xy[0, 0]
    np.testing.assert_allclose(drift, (5 * 2.3, 5 * -1.1), atol=2.0)
