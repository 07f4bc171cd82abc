"""Every input that fuzzing started from, or found: a result, or an error that names the file."""

import importlib.util
from pathlib import Path

import pytest

from locoexport.errors import LocoExportError

HERE = Path(__file__).parent
TARGETS = sorted(path.stem for path in (HERE / "targets").glob("*.py"))
INPUTS = sorted(path for path in (HERE / "corpus").glob("*/*") if path.is_file())


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert sorted({path.parent.name for path in INPUTS}) == TARGETS


@pytest.mark.parametrize("source", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_input_ends_in_a_result_or_in_an_error_of_ours(source: Path, tmp_path: Path) -> None:
    name = source.parent.name
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", HERE / "targets" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    target = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(target)
    path = tmp_path / f"input{target.SUFFIX}"
    path.write_bytes(source.read_bytes())
    error = None
    try:
        target.read(path)
    except LocoExportError as caught:
        error = caught
    assert error is None or str(error)
