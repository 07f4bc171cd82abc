"""Wrong use ends with exit code 2, one message on stderr, nothing on stdout and no file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import locoexport
from locoexport.models import locotrack

EXPORT = ("export", "--no-verify", "--no-simplify")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--frobnicate"], "No such option: --frobnicate"),
        (["export", "--frobnicate"], "No such option: --frobnicate"),
        (["export", "surplus"], "unexpected extra argument"),
        (["export", "--input", "rgb"], "input 'rgb' is unknown; expected float32, uint8"),
        (["export", "--input", "uint8", "--split"], "With --split frames are float32"),
        (["export", "--input", "uint8", "--live", "8"], "With --live frames are float32"),
        (["export", "--split", "--live", "8"], "export twice, to two names"),
        (["launch"], "No such command 'launch'"),
        (["export", "--opset", "seventeen"], "Invalid value for '--opset'"),
        (["verify"], "Missing argument 'MODEL.onnx'"),
        (["track-many", "a.mp4"], "Missing option '-o' / '--out'"),
        (["trakc"], "No such command 'trakc'. Did you mean track? See `locoexport --help`."),
        (["track", "--pionts", "3"], "No such option: --pionts. Did you mean --points? See"),
        (["track", "a.mp4", "--colour", "quary"], "'confidence'. Did you mean query? See"),
        (["export", "--opset=17.0"], "Invalid value for '--opset': '17.0' is not a whole number."),
        (["bench", "--runs", "10.0"], "Invalid value for '--runs': '10.0' is not a whole number."),
        (["inspect", "m.onnx", "--frames", "0"], "'--frames': 0 is not a positive number."),
    ],
)
def test_what_the_parser_refuses(arguments: list[str], says: str, run) -> None:
    finished = run(*arguments)
    assert (finished.code, finished.stdout) == (2, "")
    assert says in finished.stderr
    assert finished.stderr.startswith("error: ")
    assert finished.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--backbone", "b9"], "There is no profile 'b9'; expected one of b0, "),
        (["--profile", "b9"], "There is no profile 'b9'"),
        (["--backbone", "B5"], "There is no profile 'B5'. Did you mean b5?"),
        (["--backbone", "b55"], "Did you mean b5?"),
        (["--profile", "resnet_small"], "Did you mean resnet-small?"),
        (["--target", "cudaa"], "target 'cudaa' is unknown; expected cpu, cuda, tensorrt. Did you"),
        (["--precision", "FP16"], "Did you mean fp16?"),
        (["-o", "x.pt"], "x.pt: models are written as ONNX and as nothing else; name the file x.o"),
        (["--profile", "no.toml"], "There is no profile file no.toml"),
        (["--backbone", "b0", "--profile", "b0"], "--backbone and --profile both name"),
        (["--opset", "15"], "opset 15 is not supported; expected one of 16, 17, 18, 19, 20"),
        (["--opset", "21"], "opset 21 is not supported"),
        (["--frames", "0"], "--frames '0': expected a positive number or 'dynamic'"),
        (["--points", "many"], "--points 'many'"),
        (["--batch", "-1"], "--batch '-1'"),
        (["--resolution", "256"], "resolution '256' is not HEIGHTxWIDTH"),
        (["--resolution", "250x256"], "both sides must be multiples of 8"),
        (["--sampling", "native"], "sampling 'native' is unknown; expected planar, gather"),
        (["--checkpoint", "no.ckpt"], "There is no checkpoint file no.ckpt"),
        (["-o", "no/model.onnx"], "The folder no does not exist"),
        (["-o", "."], "is a folder; name a file in it"),
        (["--json", "no/report.json"], "The folder no does not exist"),
    ],
)
def test_what_export_refuses(
    arguments: list[str], says: str, run, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished = run(*EXPORT, *arguments)
    assert (finished.code, finished.stdout) == (2, "")
    assert finished.stderr.startswith("error: ")
    assert says in finished.stderr
    assert names(tmp_path) == []


def test_an_existing_output_needs_force(run, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("old")
    finished = run(*EXPORT, "-o", path)
    assert finished.code == 2
    assert "exists already; pass --force" in finished.stderr
    assert path.read_text() == "old"


@pytest.mark.parametrize("option", ["--backbone", "--profile"])
def test_a_checkpoint_that_contradicts_the_profile(option: str, run, tmp_path: Path) -> None:
    checkpoint = tmp_path / "tiny.pt"
    torch.save(locotrack.create_model("b0-tiny").state_dict(), checkpoint)
    finished = run(*EXPORT, option, "b5", "--checkpoint", checkpoint, "-o", tmp_path / "a.onnx")
    assert finished.code == 2
    assert "holds 'b0-tiny' weights, but you chose 'b5'" in finished.stderr
    assert names(tmp_path) == ["tiny.pt"]


def test_a_damaged_checkpoint(run, tmp_path: Path) -> None:
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.write_bytes(b"PK\x03\x04 cut short")
    finished = run(*EXPORT, "--checkpoint", checkpoint, "-o", tmp_path / "a.onnx")
    assert finished.code == 2
    assert f"{checkpoint} cannot be read as a checkpoint" in finished.stderr
    assert names(tmp_path) == ["last.ckpt"]


def test_profiles_lists_them(run) -> None:
    finished = run("profiles")
    assert finished.code == 0
    for variant in locotrack.VARIANTS:
        assert f"\n{variant} " in finished.stdout


def test_profiles_as_json(run) -> None:
    finished = run("profiles", "--json", "-")
    document = json.loads(finished.stdout)
    assert (finished.code, finished.stderr) == (0, "")
    assert document["schema"] == "locoexport.profiles/1"
    assert sorted(row["name"] for row in document["profiles"]) == sorted(locotrack.VARIANTS)
    (b5,) = (row for row in document["profiles"] if row["name"] == "b5")
    assert (b5["resolution_hw"], b5["opset"]) == ([384, 512], 17)
    assert b5["axes"] == {"batch": None, "frames": None, "points": None}


def test_profiles_into_a_file(run, tmp_path: Path) -> None:
    path = tmp_path / "profiles.json"
    assert run("profiles", "--json", path).code == 0
    assert json.loads(path.read_text())["schema"] == "locoexport.profiles/1"
    assert names(tmp_path) == ["profiles.json"]


def test_version(run) -> None:
    assert run("--version").stdout == f"locoexport {locoexport.__version__}\n"


def test_no_arguments_show_the_help(run) -> None:
    finished = run()
    assert "Usage: " in finished.stdout + finished.stderr
    assert "profiles" in finished.stdout + finished.stderr


@pytest.mark.slow
def test_exit_code_and_streams_of_a_real_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locoexport", "export", "--opset", "15"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: opset 15 is not supported; expected one of 16, 17, 18, 19, 20.\n"
    )
