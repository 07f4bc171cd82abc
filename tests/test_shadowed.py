"""Inside a checkout of LocoTrack's own repositories, whose folders stand first on Python's path."""

import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ("--backbone", "b0-tiny", "--resolution", "64x64", "--no-verify")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The folders that upstream's repositories have at their top; each ends Python if imported."""
    for name in ("locotrack", "models", "data", "utils", "export_profiles"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('{name}/ was imported')\n")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        pytest.param([sys.executable, "-m", "locoexport"], id="module"),
        pytest.param(
            [str(Path(sys.executable).with_name("locoexport"))],
            id="script",
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_export_works_beside_a_folder_called_locotrack(program: list[str], checkout: Path) -> None:
    command = [*program, "export", *SMALL, "-o", "model.onnx"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (checkout / "model.onnx").stat().st_size > 1_000_000


def test_the_networks_are_found_beside_it(checkout: Path) -> None:
    script = (
        "from locoexport.models import locotrack\n"
        "print(locotrack.create_model('b0-tiny').config.name)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("b0-tiny\n", "")
