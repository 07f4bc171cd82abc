"""Which exported file a command runs, of what its user named."""

from pathlib import Path

import pytest

from locoexport.contract.shipped_model import shipped_live_path, shipped_model_path
from locoexport.errors import ModelFileError, PackageMissingError
from locoexport.notices import ignore
from locoexport.pipeline import cached_export, model_choice
from locoexport.pipeline.model_choice import find_live_model, find_model


@pytest.fixture
def exported(monkeypatch, tmp_path) -> list[str]:
    """The profiles that were exported, in place of minutes of it."""
    names: list[str] = []

    def export(profile, notify) -> Path:
        names.append(profile.name)
        return tmp_path / f"{profile.name}.onnx"

    monkeypatch.setattr(cached_export, "cached_export", export)
    monkeypatch.setattr(cached_export, "cached_live_export", export)
    monkeypatch.chdir(tmp_path)
    return names


@pytest.mark.parametrize("named", [None, "b0-tiny", Path("b0-tiny")])
def test_by_default_and_by_its_name_it_is_the_shipped_one(named, exported) -> None:
    assert find_model(named, ignore) == shipped_model_path()
    assert find_live_model(named, ignore) == shipped_live_path()
    assert exported == []


@pytest.mark.parametrize("find", [find_model, find_live_model])
def test_another_profile_is_exported(find, exported, tmp_path) -> None:
    assert find("b5", ignore) == tmp_path / "b5.onnx"
    assert exported == ["b5"]


@pytest.mark.parametrize("named", ["model.onnx", "models/b0", "/models/b0", "./b0-tiny"])
def test_a_path_is_a_file_even_where_none_is_there(named, exported) -> None:
    assert find_model(named, ignore) == Path(named)
    assert exported == []


@pytest.mark.parametrize("there", ["b5", "b5.encoder.onnx", "b5.live.onnx"])
def test_files_come_before_a_profile_of_their_name(there, exported) -> None:
    Path(there).touch()
    if there == "b5.encoder.onnx":
        Path("b5.tracker.onnx").touch()
    assert find_model("b5", ignore) == Path("b5")
    assert exported == []


def test_what_is_neither_names_the_profiles(exported) -> None:
    with pytest.raises(ModelFileError, match=r"There is no model file b55\..*Did you mean b5\?"):
        find_model("b55", ignore)


def test_without_what_exports_one_line_says_so(exported, monkeypatch) -> None:
    def missing(extra: str) -> None:
        raise PackageMissingError(f"torch is missing: pip install 'locoexport[{extra}]'.")

    monkeypatch.setattr(model_choice, "require_extra", missing)
    with pytest.raises(PackageMissingError, match="b2 must be exported before") as told:
        find_model("b2", ignore)
    assert "locoexport[export]" in str(told.value)
    assert "\n" not in str(told.value)
    assert find_model("b0-tiny", ignore) == shipped_model_path()
