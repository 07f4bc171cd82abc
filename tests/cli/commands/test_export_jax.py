"""``export --checkpoint`` of JAX's files: what is refused before any work, and what is told."""

from pathlib import Path

import numpy as np
import pytest
from jax_files import save_golden, save_tar

from locoexport.errors import GraphCheckFailedError
from locoexport.pipeline import export


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_golden(tmp_path_factory.mktemp("jax") / "checkpoint.npy_iter0300000")


@pytest.fixture
def no_graph(monkeypatch) -> None:
    def refuse(*_arguments: object, **_keywords: object) -> None:
        raise GraphCheckFailedError("no graph is made here")

    monkeypatch.setattr(export, "build_graph", refuse)


def test_weights_of_jax_are_taken_without_a_word(run, golden: Path, tmp_path, no_graph) -> None:
    finished = run("export", "--checkpoint", golden, "-o", tmp_path / "a.onnx")
    assert (finished.code, finished.stderr) == (1, "error: no graph is made here\n")


def test_other_levels_are_refused_without_consent(run, golden: Path, tmp_path, no_graph) -> None:
    wanted = ("export", "--checkpoint", golden, "--resolution", "384x512")
    refused = run(*wanted, "-o", tmp_path / "a.onnx")
    assert refused.code == 2
    assert "JAX and PyTorch compute different functions" in refused.stderr
    agreed = run(*wanted, "--as-pytorch", "-o", tmp_path / "a.onnx")
    assert agreed.code == 1
    assert "warning: checkpoint.npy_iter0300000: With initial resolution 384x512" in agreed.stderr
    assert "As requested, PyTorch's function is exported." in agreed.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_tar_of_several_names_them(run, golden: Path, tmp_path: Path, no_graph) -> None:
    data = golden.read_bytes()
    tar = save_tar(tmp_path / "w.tar", {"w/small/c.npy": data, "w/late/c.npy": data})
    finished = run("export", "--checkpoint", tar, "-o", tmp_path / "a.onnx")
    assert finished.code == 2
    assert f"w/small/c.npy, w/late/c.npy. Name one: {tar}::small" in finished.stderr
    named = run("export", "--checkpoint", f"{tar}::small", "-o", tmp_path / "a.onnx")
    assert (named.code, named.stderr) == (1, "error: no graph is made here\n")


def test_an_array_is_no_checkpoint(run, tmp_path: Path) -> None:
    np.save(tmp_path / "checkpoint.npy", np.zeros((2, 3)))
    finished = run("export", "--checkpoint", tmp_path / "checkpoint.npy")
    assert finished.code == 2
    assert "it is an array of shape (2, 3) and dtype 'float64', not a checkpoint" in finished.stderr
