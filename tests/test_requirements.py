"""What is installed: floors above known faults, one set of tested versions, and its hashes."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def requirements() -> list[Requirement]:
    lines = [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]
    return [Requirement(line) for line in lines]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {plain(name): version for name, version in pairs}


@pytest.mark.parametrize(
    ("name", "faulty"),
    [
        ("opencv-python", "4.9.0.80"),
        ("torch", "2.9.1"),
        ("onnx", "1.20.1"),
        ("pillow", "12.1.0"),
        ("requests", "2.32.3"),
        ("urllib3", "2.6.3"),
        ("filelock", "3.20.2"),
        ("ray", "2.54.1"),
        ("protobuf", "5.29.5"),
        ("starlette", "1.3.0"),
        ("h11", "0.14.0"),
    ],
)
def test_no_requirement_takes_a_version_with_a_known_fault(name: str, faulty: str) -> None:
    found = [each for each in requirements() if plain(each.name) == name]
    assert found
    for requirement in found:
        assert not requirement.specifier.contains(faulty), requirement
        # Upwards all is open, but for OpenCV's next major version.
        assert name == "opencv-python" or requirement.specifier.contains("99.0"), requirement


def test_all_brings_every_extra_that_users_have() -> None:
    (everything,) = map(Requirement, EXTRAS["all"])
    assert everything.extras == set(EXTRAS) - {"all", "dev"}


def test_inspect_brings_no_framework() -> None:
    assert [Requirement(line).name for line in EXTRAS["inspect"]] == ["onnx"]


def test_the_tested_versions_are_ones_that_may_be_installed() -> None:
    versions = pinned()
    checked = [each for each in requirements() if plain(each.name) in versions]
    assert len(checked) > 25
    for requirement in checked:
        assert requirement.specifier.contains(versions[plain(requirement.name)]), requirement


def test_every_tested_version_but_torch_has_its_hashes() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.sub(r"\\\n\s+", "", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    locked = {}
    for entry in entries:
        match = re.fullmatch(r"(\S+)==(\S+) ((--hash=sha256:[0-9a-f]{64} ?)+)", entry)
        assert match is not None, entry
        locked[plain(match[1])] = match[2]
    expected = pinned()
    del expected["torch"]
    assert locked == expected
