import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from synthetic_tracker import tracker_bytes

from locoexport.batch.jobs import WorkSettings
from locoexport.batch.records import model_sha256
from locoexport.runtime.video.mp4 import write_mp4

FRAMES, HEIGHT, WIDTH = 4, 48, 64


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Callable[[int], Path]:
    """The path of a short clip; each number gives another one."""
    folder = tmp_path_factory.mktemp("films")

    def make(number: int) -> Path:
        path = folder / f"{number}.mp4"
        if not path.exists():
            rng = np.random.default_rng(number)
            frames = rng.integers(0, 80, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
            write_mp4(path, frames, 10)
        return path

    return make


@pytest.fixture
def clips(tmp_path: Path, film) -> Path:
    """A folder of three clips, a, b and c."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number, name in enumerate("abc"):
        shutil.copy(film(number), folder / f"{name}.mp4")
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(tracker_bytes())
    return path


@pytest.fixture
def settings(model: Path, tmp_path: Path) -> WorkSettings:
    out = tmp_path / "out"
    for folder in (out, out / "tracks", out / "records", out / "files"):
        folder.mkdir()
    return WorkSettings(model, model_sha256(model), out)
