import subprocess
import sys
from collections import Counter
from pathlib import Path

from locoexport.machine.installation import package_sources

ROOT = Path(__file__).parents[2]


def test_sources_are_the_packages_and_the_networks_each_once() -> None:
    found = package_sources()
    assert [path for path, count in Counter(found).items() if count > 1] == []
    assert ROOT / "locoexport" / "machine" / "installation.py" in found
    assert ROOT / "models" / "locotrack" / "tracker.py" in found
    assert sorted(found) == found


def test_the_networks_are_not_imported_to_find_them() -> None:
    script = (
        "import sys\n"
        "from locoexport.machine.installation import package_sources\n"
        "assert package_sources()\n"
        "assert 'torch' not in sys.modules\n"
        "assert 'locoexport.models.locotrack' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
