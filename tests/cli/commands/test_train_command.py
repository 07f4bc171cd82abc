"""``locoexport train``, end to end at 64x64: what it writes, says and refuses."""

import json
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest
from tiny_training import write_validation

from locoexport.contract.profile import load_profile
from locoexport.network.loading import load_network

ROOT = Path(__file__).parents[3]
QUICK = ("--steps", 4, "--batch", 1, "--frames", 3, "--points", 4, "--devices", 1)


@pytest.fixture
def train(run, tmp_path, monkeypatch):
    """Run the command on a profile of 64x64 with two clips to learn from and to validate on."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "export_profiles" / "b0-tiny.toml").read_text(encoding="utf-8")
    small = text.replace("resolution = [256, 256]", "resolution = [64, 64]")
    assert small != text
    Path("small.toml").write_text(small)
    clips = write_validation(tmp_path).name

    def start(*arguments: object):
        given = ("--profile", "small.toml", "--data", clips, "--validate", clips, "-o", "run")
        return run("train", *given, *QUICK, *arguments)

    return start


def test_a_run_leaves_checkpoints_figures_a_plot_and_pictures(train) -> None:
    done = train("--json", "report.json", "--validate-every", 2)
    assert done.code == 0, done.stderr
    document = json.loads(Path("report.json").read_text())
    assert document["schema"] == "locoexport.train/1"
    assert (document["steps"], document["recipe"]["size_hw"]) == (4, [64, 64])
    assert [found["step"] for found in document["validations"]] == [2, 4]
    assert document["losses"][-1]["step"] == 4
    told = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert [f"warning: {text}" for text in document["warnings"]] == told
    assert matplotlib.image.imread("run/loss.png").ndim == 3
    pictures = sorted(path.name for path in Path("run/overlays").iterdir())
    assert pictures == [f"step-{step}-validation-clip0.jpg" for step in (2, 4)]
    assert "training: 4 of 4" in done.stderr.splitlines()
    assert f"locoexport export --checkpoint {Path('run/best.ckpt')} -o" in done.stdout
    loaded = load_network(load_profile("small.toml"), Path("run/best.ckpt"))
    assert loaded.model.config.name == "b0-tiny"


def test_what_is_done_is_not_done_again_and_json_alone_is_on_stdout(train) -> None:
    assert train().code == 0
    again = train("--json", "-")
    assert again.code == 0, again.stderr
    assert json.loads(again.stdout)["steps"] == 4
    other = train("--seed", 7)
    assert other.code == 2
    assert "--fresh" in other.stderr
    assert train("--seed", 7, "--fresh").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--precision", "bf61"], "Did you mean bf16?"),
        (["--batch-norm", "freezed"], "Did you mean frozen?"),
        (["--strategy", "dpp"], "Did you mean ddp?"),
        (["--data", "sintetic"], "Did you mean synthetic?"),
        (["--validate", "syntetic"], "Did you mean synthetic?"),
        (["--frames", "24-8"], "write the smaller number first"),
        (["--frames", "1"], "nothing moves"),
        (["--frames", "8-"], "not a whole number"),
        (["--steps", "0"], "not a positive number"),
        (["--difficulty", "nan"], "not a number from 0 on"),
        (["--difficulty", "hard"], "not a number from 0 on"),
        (["--seed", "-1"], "below 0"),
        (["--workers", "-1"], "below 0"),
        (["--learning-rate", "2"], "learning rate is 2"),
        (["--learning-rate", "nan"], "learning rate is nan"),
        (["--average", "1"], "decay of averages is 1"),
        (["--drop-connect", "1"], "drop-connect is 1"),
        (["--backbone", "b0"], "pass one of them"),
        (["--from", "none.ckpt"], "no checkpoint file none.ckpt"),
        (["--data", "clips:none"], "--teacher"),
        (["--data", "clips:"], "clips:DIR"),
        (["--data", "synthetic@0"], "not a number above 0"),
        (["-o", "small.toml"], "small.toml"),
        (["-o", "validation.pkl/run"], "validation.pkl"),
    ],
)
def test_what_is_refused_before_any_step(train, arguments, says) -> None:
    done = train(*arguments)
    assert done.code == 2
    assert says in done.stderr
    assert not Path("run/last.ckpt").exists()


def test_a_missing_lightning_is_named_with_its_extra(tmp_path) -> None:
    script = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'lightning' else find(name)\n"
        "sys.argv = ['locoexport', 'train', '--data', 'synthetic', '-o', 'run']\n"
        "from locoexport.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 3
    assert "needs lightning" in done.stderr
    assert "pip install 'locoexport[train]'" in done.stderr
