"""What holds for every command: help without heavy imports, version, colour, quiet, completion."""

import json
import os
import subprocess
import sys

import pytest
import typer

import locoexport
from locoexport.cli.main import app

COMMANDS = (
    *("export", "verify", "track", "track-many", "package", "demo", "profiles", "bench", "eval"),
    *("inspect", "doctor", "rewrite", "convert", "live", "train", "tune", "version"),
)


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "TERM")}
    return subprocess.run(
        [sys.executable, "-m", "locoexport", *arguments],
        capture_output=True,
        text=True,
        env=plain | environment,
        check=False,
    )


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    """What makes ``--help`` slow; a time would only tell how busy this machine is."""
    script = (
        "import sys\n"
        "for name in ('torch', 'lightning', 'onnx', 'onnxruntime', 'cv2', 'av', 'matplotlib', "
        "'numpy'):\n"
        "    sys.modules[name] = None\n"
        f"sys.argv = ['locoexport', *{command!r}, '--help']\n"
        "from locoexport.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: locoexport" in done.stdout


def test_help_lists_every_command() -> None:
    done = process("--help")
    for name in COMMANDS:
        assert f" {name} " in done.stdout


def test_version() -> None:
    done = process("--version")
    assert (done.returncode, done.stdout) == (0, f"locoexport {locoexport.__version__}\n")


def test_version_as_a_command_says_the_same(run) -> None:
    assert run("version").stdout == f"locoexport {locoexport.__version__}\n"
    document = json.loads(run("version", "--json", "-").stdout)
    assert document["schema"] == "locoexport.version/1"
    assert document["version"] == locoexport.__version__


def test_colour_where_it_is_forced_and_none_where_it_is_refused() -> None:
    coloured = process("doctor", FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[" in coloured
    refused = process("doctor", FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color").stdout
    assert not any(f"\x1b[{colour}m" in refused for colour in (32, 33, 36, "1;31", "1;32"))
    assert "\x1b[" not in process("doctor").stdout


def test_an_error_is_not_coloured_either() -> None:
    done = process("inspect", "none.onnx", FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color")
    assert done.returncode == 2
    assert "\x1b[1;31m" not in done.stderr
    assert "\x1b[1;31m" in process("inspect", "none.onnx", FORCE_COLOR="1", TERM="xterm").stderr


def test_verbose_shows_where_an_error_comes_from() -> None:
    assert "Traceback" not in process("inspect", "none.onnx").stderr
    for verbose in (["--verbose"], ["-v"], ["-qv"], ["-q", "-v"]):
        assert "Traceback" in process(*verbose, "inspect", "none.onnx").stderr


def test_what_looks_like_verbose_elsewhere_is_not() -> None:
    done = process("inspect", "--json", "-v", "none.onnx")
    assert (done.returncode, done.stderr) == (2, "error: There is no model file none.onnx.\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(shell: str) -> None:
    done = process(_LOCOEXPORT_COMPLETE=f"source_{shell}")
    assert done.returncode == 0
    assert f"_LOCOEXPORT_COMPLETE=complete_{shell}" in done.stdout


def test_completion_knows_the_commands() -> None:
    done = process(_LOCOEXPORT_COMPLETE="complete_bash", COMP_WORDS="locoexport ", COMP_CWORD="1")
    assert set(COMMANDS) <= set(done.stdout.split())


def test_the_commands_are_all_here() -> None:
    assert set(COMMANDS) == set(typer.main.get_command(app).commands)


WITH_JSON = {
    "export": ["-o", "no/model.onnx"],
    "verify": ["none.onnx"],
    "bench": ["none.onnx", "--against", "none"],
    "train": ["--from", "none.ckpt", "--data", "synthetic", "-o", "run"],
    "tune": ["none.onnx"],
    "inspect": ["none.onnx"],
    "rewrite": ["none.onnx", "-o", "out.onnx"],
    "eval": ["none.onnx", "--dataset", "synthetic"],
    "package": ["none.onnx", "--triton", "out"],
    "convert": ["none.npz", "-o", "out.rrd"],
    "track": ["none.mp4", "--model", "none.onnx"],
    "track-many": ["none.mp4", "--model", "none.onnx", "-o", "out"],
    "live": ["none.mp4", "--model", "none.onnx"],
    "profiles": [],
    "doctor": [],
    "version": [],
}


def test_every_command_with_json_is_tried() -> None:
    commands = typer.main.get_command(app).commands
    assert set(WITH_JSON) == {
        name
        for name, command in commands.items()
        if any("--json" in parameter.opts for parameter in command.params)
    }


@pytest.mark.parametrize("command", WITH_JSON)
def test_an_existing_json_file_needs_force(command: str, run, tmp_path, monkeypatch) -> None:
    """With it, each command goes on: to its result, or to what else was wrong."""
    monkeypatch.chdir(tmp_path)
    report = tmp_path / "report.json"
    report.write_text("old")
    arguments = [command, *WITH_JSON[command], "--json", report]
    refused = run(*arguments)
    assert refused.code == 2
    assert f"{report} exists already; pass --force" in refused.stderr
    assert report.read_text() == "old"
    allowed = run(*arguments, "--force")
    assert "report.json" not in allowed.stderr
    assert allowed.code == (0 if not WITH_JSON[command] else 2)
    assert (report.read_text() == "old") == (allowed.code == 2)
