"""How many cores this process may use: its affinity mask, and the quota of the container it is in.

Linux tells both; elsewhere all cores count. Sources: ``sched_getaffinity(2)``, and the kernel's
documents cgroup-v2 (``cpu.max``) and sched-bwc (``cpu.cfs_quota_us`` of cgroup v1). A group's
limit also binds the groups in it, so the tightest on the way to the root counts.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, MutableMapping
from pathlib import Path, PurePosixPath

import psutil

__all__ = [
    "allowed_cores",
    "container_quota",
    "heed_quota",
    "restricted_threads",
    "usable_cores",
    "usable_threads",
]

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_TOPOLOGY = Path("/sys/devices/system/cpu")
_TOLD_BY = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
"""Where PyTorch, numpy and OpenCV read how many threads they may start."""


def usable_cores() -> int:
    """Logical cores that this process may use at once, at least 1."""
    return _within_quota(len(allowed_cores()))


def usable_threads() -> int:
    """Threads that pay for arithmetic: one for each physical core that may be used, at least 1.

    Two on one core share its arithmetic units. A quota's fraction below three quarters counts for
    nothing: threads wait for one another, and one that is out of time stops them all. That rule is
    by reasoning; no clean measurement stands behind where it rounds.
    """
    return _within_quota(_physical(allowed_cores()))


def restricted_threads() -> int | None:
    """``usable_threads`` where that is fewer than the machine has, else None.

    A library that counts the machine's cores alone is wrong then, and has to be told.
    """
    threads = usable_threads()
    return threads if threads < _physical(_all_cores()) else None


def heed_quota(environment: MutableMapping[str, str] = os.environ) -> None:
    """Tell libraries that are not loaded yet of a quota below the mask; what is set stays.

    They heed the mask themselves, and no quota: with two threads in the time of one, each waits
    half of the time for the other, which is stopped. For a process of our own alone: a library does
    not decide for the program that imports it. ONNX Runtime and FFmpeg are told where they open.
    """
    threads = usable_threads()
    if threads < _physical(allowed_cores()):
        for name in _TOLD_BY:
            environment.setdefault(name, str(threads))


def container_quota(cgroups: Path = _CGROUPS, membership: Path = _MEMBERSHIP) -> float | None:
    """Cores that the container's quota allows, such as 1.5; None without one.

    Args:
        cgroups: where the control groups are mounted.
        membership: the file that names this process's groups.
    """
    quotas = [quota for group in _groups(cgroups, membership) for quota in _quotas(group)]
    return min(quotas, default=None)


def _within_quota(cores: int) -> int:
    quota = container_quota()
    return max(1, cores if quota is None else min(cores, math.floor(quota + 0.25)))


def allowed_cores() -> frozenset[int]:
    """The logical cores that this process may run on, by their numbers."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return _all_cores()


def _all_cores() -> frozenset[int]:
    return frozenset(range(psutil.cpu_count() or 1))


def _physical(cores: frozenset[int]) -> int:
    """How many physical cores some logical ones are of."""
    siblings = {_siblings(core) for core in cores}
    if None in siblings:
        return min(len(cores), psutil.cpu_count(logical=False) or len(cores))
    return len(siblings)


def _siblings(core: int) -> str | None:
    """The logical cores that share this one's units, as the kernel lists them; None: unknown."""
    try:
        return (_TOPOLOGY / f"cpu{core}" / "topology" / "thread_siblings_list").read_text()
    except OSError:
        return None


def _groups(cgroups: Path, membership: Path) -> Iterator[Path]:
    """The folders of this process's groups that may hold a quota, and of those around them."""
    try:
        lines = membership.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        # cgroup v2 names no controllers; beside v1 it is mounted in a folder of its own.
        mounts = (controllers, "cpu") if controllers else ("", "unified")
        for mount in dict.fromkeys(mounts):
            for path in (PurePosixPath(group), *PurePosixPath(group).parents):
                # Within a container a group's name may be the host's, which is not there.
                yield cgroups / mount / str(path).lstrip("/")


def _quotas(group: Path) -> Iterator[float]:
    """The quota of one group, in either version's files."""
    pair = _words(group / "cpu.max")
    if len(pair) != 2:
        pair = _words(group / "cpu.cfs_quota_us") + _words(group / "cpu.cfs_period_us")
    try:
        quota, period = map(int, pair)
    except ValueError:  # "max", or no such file
        return
    if quota > 0 and period > 0:
        yield quota / period


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return []
