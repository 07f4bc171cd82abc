"""``export`` and what no state dict says: options, files beside the weights, contradictions."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

SMALL = ("--resolution", "64x64", "--batch", "1", "--frames", "3", "--points", "4")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The demo weights, as a checkpoint of the user's."""
    path = tmp_path / "mine.safetensors"
    path.write_bytes((files("locoexport.profiles") / "b0-tiny.safetensors").read_bytes())
    return path


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--refinements", "0"), "refinements is 0; expected a whole number from 1 to 32."),
        (("--softmax-temperature", "0"), "softmax temperature is 0"),
        (("--gelu", "fast"), "GELU is 'fast'; expected erf or tanh."),
        (("--refinement-resolutions", "384"), "'384' is not HEIGHTxWIDTH"),
        (("--refinement-resolutions", "250x256"), "resolution 250x256: both sides must be mult"),
        (("--refinement-resolutions", "64x64,96x96,128x128"), "are 3 levels; expected one or two"),
    ],
)
def test_wrong_values_are_exit_2(run, tmp_path: Path, options: tuple[str, str], says: str) -> None:
    finished = run("export", *options, "-o", tmp_path / "a.onnx")
    assert finished.code == 2
    assert says in finished.stderr


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--refinements", "4"), ("refinements 4", "refinements", "mine.safetensors 2")),
        (("--resolution", "96x96"), ("initial resolution 96x96", "mine.safetensors 64x64")),
    ],
)
def test_an_option_that_contradicts_the_weights_is_exit_2(
    run, weights: Path, options: tuple[str, str], names: tuple[str, ...]
) -> None:
    said = {"num_pips_iter": 2, "initial_resolution": [64, 64]}
    weights.with_suffix(".json").write_text(json.dumps(said))
    finished = run("export", "--checkpoint", weights, *options, "-o", weights.with_name("a.onnx"))
    assert finished.code == 2
    assert all(name in finished.stderr for name in names)
    assert not weights.with_name("a.onnx").exists()


@pytest.mark.slow  # a real network is traced
def test_what_is_assumed_is_said_and_what_is_known_is_not(run, weights: Path) -> None:
    weights.with_suffix(".json").write_text('{"num_pips_iter": 1, "gelu": "tanh"}')
    path = weights.with_name("a.onnx")
    finished = run("export", "--checkpoint", weights, *SMALL, "-o", path, "--json", "-")
    assert finished.code == 0, finished.stderr
    (line,) = [
        line
        for line in finished.stderr.splitlines()
        if "does not record how it was trained" in line
    ]
    assert "assumed: refinement resolutions 64x64, softmax temperature 20. If that" in line
    document = json.loads(finished.stdout)
    assert [f"warning: {warning}" for warning in document["warnings"]] == [line]
    metadata = document["metadata"]
    assert metadata["locoexport.refinements"] == "1"
    assert metadata["locoexport.gelu"] == "tanh"
    verified = run("verify", path)
    assert verified.code == 0, verified.stdout
    assert "refinements 1, softmax temperature 20, GELU tanh" in " ".join(verified.stdout.split())
