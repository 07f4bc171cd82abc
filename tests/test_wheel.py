"""The wheel holds one package, all its data, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "MANIFEST.in")
FOLDERS = (".build", "locoexport", "models", "export_profiles")


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory) -> set[str]:
    """Names in a wheel built from a copy: building writes beside the sources."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        shutil.copy(ROOT / name, copy / name)
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignored)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, copy]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_top_level_names(wheel_names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel_names}
    (info,) = (top for top in tops if top.endswith(".dist-info"))
    assert info.startswith("locoexport-")
    assert tops - {info} == {"locoexport"}


def test_every_module_is_in_it(wheel_names: set[str]) -> None:
    """A new subpackage must be listed in pyproject.toml."""
    sources = {
        *(path.relative_to(ROOT) for path in (ROOT / "locoexport").rglob("*.py")),
        *(Path("locoexport", path.relative_to(ROOT)) for path in (ROOT / "models").rglob("*.py")),
    }
    assert {path.as_posix() for path in sources} <= wheel_names
    assert "locoexport/profiles/__init__.py" in wheel_names


def test_data_files_are_in_it(wheel_names: set[str]) -> None:
    profiles = [path.name for path in (ROOT / "export_profiles").glob("*.toml")]
    assert len(profiles) >= 12
    data = {f"locoexport/profiles/{name}" for name in profiles}
    data |= {"locoexport/profiles/b0-tiny.safetensors", "locoexport/profiles/b0-tiny.weights.md"}
    parts = ("", ".encoder", ".query", ".live")
    data |= {f"locoexport/profiles/b0-tiny{part}.onnx" for part in parts}
    web = ROOT / "locoexport" / "web"
    page = {path.relative_to(web).as_posix() for path in web.rglob("*") if path.is_file()}
    assert {"index.html", "page/main.js", "engine/tracker.worker.js", "licences.txt"} <= page
    data |= {f"locoexport/web/{name}" for name in page}
    data |= {"locoexport/py.typed"}
    assert data <= wheel_names


def test_licence_and_notice_are_in_it(wheel_names: set[str]) -> None:
    endings = {name.rpartition("/")[2] for name in wheel_names if ".dist-info/licenses/" in name}
    assert endings == {"LICENSE", "NOTICE"}
