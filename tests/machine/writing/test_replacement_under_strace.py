"""A disk that refuses, and a kill, at every rename of a replacement: strace puts them there.

What is there afterwards, or after the next run has begun, is all of the old or all of the new.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGE = """
import sys
from pathlib import Path
from locoexport.errors import OutputError
from locoexport.serving.repository import RepositoryEntry, write_repository
names, source, folder = sys.argv[1].split(","), Path(sys.argv[2]), Path(sys.argv[3])
entries = [RepositoryEntry(name, source.read_text(), source) for name in names]
try:
    write_repository(folder / "repo", entries, source.read_text(), force=True,
                     texts={"config.json": source.read_text()})
except OutputError as error:
    sys.exit(2)
"""
FILES = """
import sys
from pathlib import Path
from locoexport.errors import OutputError
from locoexport.machine.writing.output_files import whole_files
names, source, folder = sys.argv[1].split(","), Path(sys.argv[2]), Path(sys.argv[3])
try:
    with whole_files([folder / name for name in names]) as drafts:
        for draft in drafts:
            draft.write_text(source.read_text())
except OutputError as error:
    sys.exit(2)
"""
NEXT_RUN = """
import sys
from pathlib import Path
from locoexport.machine.writing.drafts import sweep
sweep(Path(sys.argv[1]))
"""
TASKS = {"package": PACKAGE, "files": FILES}
# strace counts each system call for itself.
FAULTS = {
    "disk at a rename": ["rename,renameat:error=EIO:when={}"],
    "disk at an exchange": ["renameat2:error=EIO:when={}"],
    "kill at a rename": ["rename,renameat:signal=SIGKILL:when={}"],
    "kill at an exchange": ["renameat2:signal=SIGKILL:when={}"],
    # Where two paths cannot be exchanged, the old one waits aside for a moment.
    "disk without exchange": ["renameat2:error=EINVAL", "rename,renameat:error=EIO:when={}"],
    "kill without exchange": ["renameat2:error=EINVAL", "rename,renameat:signal=SIGKILL:when={}"],
}


@pytest.fixture(scope="module")
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed")
    if subprocess.run([found, "-qq", "-o", "/dev/null", "true"], check=False).returncode:
        pytest.skip("this system lets no process trace another")
    return found


@pytest.mark.parametrize("fault", list(FAULTS))
@pytest.mark.parametrize(
    ("task", "names"),
    [("package", "one"), ("package", "encoder,query,tracker,all"), ("files", "a.onnx,a.npz")],
)
def test_nothing_is_lost_whichever_rename_fails(
    strace: str, task: str, names: str, fault: str, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    new.write_text("new")
    for number in range(1, 40):
        folder = tmp_path / str(number)
        folder.mkdir()
        program = [sys.executable, "-c", TASKS[task], names]
        subprocess.run([*program, str(old), str(folder)], check=True)
        places = visible(folder)
        traced = [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=/rename"]
        for injected in FAULTS[fault]:
            traced += ["-e", f"inject={injected.format(number)}"]
        ended = subprocess.run([*traced, *program, str(new), str(folder)], check=False)
        subprocess.run([sys.executable, "-c", NEXT_RUN, str(folder)], check=True)
        after = visible(folder)
        assert set(after) == set(places), (number, fault)
        assert len(set(after.values())) == 1, (number, fault, after)
        assert not [path for path in folder.rglob(".locoexport-*")], (number, fault)
        if ended.returncode == 2:
            assert set(after.values()) == {"old"}
        if ended.returncode == 0:
            assert set(after.values()) == {"new"}
            break
    else:
        pytest.fail("it never went through")
    assert number > 1


def visible(folder: Path) -> dict[str, str]:
    """File → text of what is no draft."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and ".locoexport-" not in str(path)
    }
