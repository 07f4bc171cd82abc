"""What all tests share: their surroundings, and a tiny tracker."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from surroundings import prepare

prepare()


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a synthetic tracker (see ``tracker_bytes``) and returns its path."""
    from synthetic_tracker import tracker_bytes

    def make(name: str = "model.onnx", **options: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(tracker_bytes(**options))
        return path

    return make
