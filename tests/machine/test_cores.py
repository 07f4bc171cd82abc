"""How many cores may be used: masks, quotas of both versions, nested groups."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from locoexport.machine import cores


def grow(root: Path, files: dict[str, str], membership: str) -> float | None:
    """The quota by a made tree of groups."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "membership").write_text(membership)
    return cores.container_quota(root, root / "membership")


@pytest.mark.parametrize(
    ("files", "membership", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
        ({"cpu.max": "max 100000\n"}, "0::/\n", None),
        ({"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, "0::/a/b\n", 2.0),
        ({"a/b/cpu.max": "50000 100000\n", "a/cpu.max": "200000 100000\n"}, "0::/a/b\n", 0.5),
        # Within a container the host's name of the group leads nowhere, and the root is its own.
        ({"cpu.max": "300000 100000\n"}, "0::/docker/abc\n", 3.0),
        (
            {
                "cpu/cpu.cfs_quota_us": "-1\n",
                "cpu/cpu.cfs_period_us": "100000\n",
                "cpu/a/cpu.cfs_quota_us": "250000\n",
                "cpu/a/cpu.cfs_period_us": "100000\n",
            },
            "2:cpuset:/a\n1:cpu:/a\n",
            2.5,
        ),
        (
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
                "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            "4:cpu,cpuacct:/docker/abc\n0::/\n",
            4.0,
        ),
        ({"memory/cpu.cfs_quota_us": "1\n"}, "4:memory:/\n", None),
        ({"cpu.max": "nonsense\n"}, "0::/\n", None),
        ({}, "", None),
    ],
)
def test_the_tightest_quota_on_the_way_to_the_root(
    files: dict[str, str], membership: str, quota: float | None, tmp_path: Path
) -> None:
    assert grow(tmp_path, files, membership) == quota


def test_no_list_of_groups_is_no_quota(tmp_path: Path) -> None:
    assert cores.container_quota(tmp_path, tmp_path / "none") is None


@pytest.mark.parametrize(
    ("quota", "threads"),
    [(None, 8), (0.3, 1), (1.5, 1), (1.74, 1), (1.75, 2), (3.9, 4), (64.0, 8)],
)
def test_a_quota_is_rounded_to_threads_that_pay(
    quota: float | None, threads: int, monkeypatch
) -> None:
    monkeypatch.setattr(cores, "container_quota", lambda: quota)
    monkeypatch.setattr(cores, "allowed_cores", lambda: frozenset(range(8)))
    monkeypatch.setattr(cores, "_siblings", str)
    monkeypatch.setattr(cores, "_all_cores", lambda: frozenset(range(8)))
    assert cores.usable_threads() == threads
    assert cores.restricted_threads() == (None if threads == 8 else threads)


def test_two_logical_cores_of_one_are_one_thread(monkeypatch) -> None:
    monkeypatch.setattr(cores, "container_quota", lambda: None)
    monkeypatch.setattr(cores, "_siblings", lambda core: f"{core % 4},{core % 4 + 4}")
    monkeypatch.setattr(cores, "_all_cores", lambda: frozenset(range(8)))
    monkeypatch.setattr(cores, "allowed_cores", lambda: frozenset(range(8)))
    assert (cores.usable_cores(), cores.usable_threads()) == (8, 4)
    assert cores.restricted_threads() is None
    monkeypatch.setattr(cores, "allowed_cores", lambda: frozenset({0, 4, 1}))
    assert (cores.usable_cores(), cores.restricted_threads()) == (3, 2)


@pytest.mark.parametrize(
    ("quota", "told"),
    [(None, {"OMP_NUM_THREADS": "7"}), (8.0, {"OMP_NUM_THREADS": "7"}), (2.0, None)],
)
def test_libraries_are_told_of_a_quota_and_of_nothing_else(
    quota: float | None, told: dict[str, str] | None, monkeypatch
) -> None:
    """A mask they heed themselves; what the user set stays."""
    monkeypatch.setattr(cores, "container_quota", lambda: quota)
    monkeypatch.setattr(cores, "allowed_cores", lambda: frozenset(range(8)))
    monkeypatch.setattr(cores, "_siblings", str)
    monkeypatch.setattr(cores, "_all_cores", lambda: frozenset(range(16)))
    environment = {"OMP_NUM_THREADS": "7"}
    cores.heed_quota(environment)
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
    assert environment == (told or {"OMP_NUM_THREADS": "7"} | dict.fromkeys(names, "2"))


def test_what_libraries_are_told_they_do() -> None:
    """By what they say themselves, in a process that was told before it loaded them."""
    script = (
        "from locoexport.machine import cores\n"
        "cores.container_quota = lambda: 1.0\n"
        "cores._physical = len\n"
        "cores.allowed_cores = lambda: frozenset({0, 1})\n"
        "cores.heed_quota()\n"
        "import cv2, torch\n"
        "print(cv2.getNumThreads(), torch.get_num_threads())\n"
    )
    told = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
    environment = {name: value for name, value in os.environ.items() if name not in told}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=120
    )
    assert (done.stdout, done.stderr) == ("1 1\n", "")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks here")
def test_a_mask_of_one_core_is_one_thread() -> None:
    script = (
        "import os\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from locoexport.machine.cores import usable_cores, usable_threads\n"
        "print(usable_cores(), usable_threads())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1 1\n", "")
