"""benchmarks/quiet_machine.py: figures of a busy machine are kept and not published."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "quiet_machine.py"


@pytest.fixture
def script(monkeypatch, tmp_path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("quiet_machine", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "running_reduced", lambda: False)
    monkeypatch.setattr(module.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    return module


def test_a_quiet_machine_may_publish(script, tmp_path: Path) -> None:
    script.require_quiet({"before": 0.02, "during": 0.10}, {"ms": 1}, "speed")
    assert list(tmp_path.iterdir()) == []


def test_a_busy_one_keeps_its_figures(script, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as refused:
        script.require_quiet({"before it": 0.94, "during it": 0.03}, {"ms": 1}, "speed")
    kept = tmp_path / "speed.json"
    assert str(refused.value) == (  # a text: exit code 1
        "Measured on a busy machine: other processes took 94% of the machine before it (limit 10%)."
        f" Nothing was published; the figures are in {kept}. Stop the other processes and measure "
        "again."
    )
    assert json.loads(kept.read_text()) == {"ms": 1}


def test_so_does_one_that_gives_way_to_others(script, monkeypatch) -> None:
    monkeypatch.setattr(script, "running_reduced", lambda: True)
    with pytest.raises(SystemExit, match="reduced priority"):
        script.require_quiet({}, [], "live-speed")


@pytest.mark.parametrize(
    "name",
    ["speed", "volumetric_sampling", "many_clips", "browser", "live_speed", "provider_matrix"],
)
def test_every_script_that_publishes_times_asks(name: str) -> None:
    text = (SCRIPT.parent / f"{name}.py").read_text(encoding="utf-8")
    assert "    require_quiet(" in text
