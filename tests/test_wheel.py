"""The wheel holds one package, all its data, and nothing else."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE")
FOLDERS = ("locoexport", "models", "export_profiles")

REPOSITORY = "https://example.org/owner/locoexport"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from a copy, since building writes beside the sources."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        shutil.copy(ROOT / name, copy / name)
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignored)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, copy]
    settings = os.environ | {"LOCOEXPORT_REPOSITORY": f"{REPOSITORY}.git"}
    subprocess.run(command, check=True, capture_output=True, env=settings)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        return Parser().parsestr(archive.read(name).decode("utf-8"))


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
    data |= {"locoexport/demo/big-buck-bunny.mp4", "locoexport/demo/big-buck-bunny.txt"}
    data |= {"locoexport/py.typed"}
    assert data <= wheel_names


def test_licence_and_notice_are_in_it(wheel_names: set[str]) -> None:
    endings = {name.rpartition("/")[2] for name in wheel_names if ".dist-info/licenses/" in name}
    assert endings == {"LICENSE", "NOTICE"}


def test_the_page_on_pypi_has_no_link_that_leads_nowhere_there(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    page = metadata.get_payload()
    assert f'<img src="{REPOSITORY}/raw/HEAD/docs/tracked.webp"' in page
    assert f"]({REPOSITORY}/blob/HEAD/README.zh-CN.md)" in page
    targets = re.findall(r"\]\(([^)]*)\)|(?:src|href)=\"([^\"]*)\"", page)
    assert len(targets) > 20
    assert [t for pair in targets for t in pair if t and not t.startswith("https://")] == []


def test_whose_it_is_and_where_it_is_found(metadata: Message) -> None:
    assert metadata["Author"] == "The locoexport authors"
    addresses = dict(line.split(", ") for line in metadata.get_all("Project-URL") or ())
    assert addresses["Source"] == REPOSITORY
    assert addresses["Issues"] == f"{REPOSITORY}/issues"
    assert addresses["Paper"] == "https://arxiv.org/abs/2407.15420"
