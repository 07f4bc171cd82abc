"""The live export that a command makes for itself: made once, and anew where it was damaged."""

import shutil
from pathlib import Path

import pytest
from exported import live_once

from locoexport.contract.profile import load_profile
from locoexport.pipeline import cached_export, export
from locoexport.runtime.session.split_files import find_live_files, name_live_files


@pytest.fixture
def made(monkeypatch, tmp_path) -> list[Path]:
    """What was exported, in place of minutes of it."""
    there = name_live_files(live_once())
    exported = []

    def export_model(profile, output, *, live, **_) -> None:
        assert (profile.name, live) == ("b0-tiny", "open")
        exported.append(Path(output))
        for role, part in name_live_files(Path(output)).items():
            shutil.copy(there[role], part)

    monkeypatch.setattr(export, "export_model", export_model)
    monkeypatch.setattr(cached_export, "cache_path", lambda: tmp_path / "cache")
    return exported


def told_and_path() -> tuple[list[str], Path]:
    told: list[str] = []
    path = cached_export.cached_live_export(
        load_profile("b0-tiny"), lambda notice: told.append(notice.text)
    )
    return told, path


def test_it_is_exported_once(made) -> None:
    told, first = told_and_path()
    assert told[-1].startswith("exporting b0-tiny for live use")
    assert find_live_files(first) is not None
    told, second = told_and_path()
    assert (second, told, len(made)) == (first, [f"using {first}"], 1)
    assert sorted(each.suffix for each in first.parent.iterdir() if each.is_file()) == [".onnx"] * 3


@pytest.mark.parametrize("role", ["encoder", "query", "live"])
def test_a_damaged_or_missing_part_is_made_anew(role, made) -> None:
    _, first = told_and_path()
    part = name_live_files(first)[role]
    sound = part.read_bytes()
    part.write_bytes(sound[:-1] + b"x")
    _, again = told_and_path()
    assert (len(made), name_live_files(again)[role].read_bytes()) == (2, sound)
    name_live_files(again)[role].unlink()
    _, last = told_and_path()
    assert (len(made), find_live_files(last) is not None) == (3, True)
