"""What this machine is and how busy it is: processor, memory, load, one process's memory.

Standard library and psutil. Sizes are in bytes, shares are of the logical cores that this
process may run on (0 to 1).
"""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from locoexport.machine.cores import allowed_cores, usable_cores

__all__ = [
    "BUSY_SHARE",
    "Cpu",
    "CpuWatch",
    "Load",
    "Memory",
    "give_back_memory",
    "measure_load",
    "peak_memory",
    "process_memory",
    "read_cpu",
    "read_memory",
    "reset_peak_memory",
    "running_reduced",
]

# What float32 and int8 kernels ask of a processor, by the names that operating systems use.
_FEATURES = {
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx512f": "AVX-512",
    "avx512bw": "AVX-512BW",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "avx512_fp16": "AVX-512 FP16",
    "amx_tile": "AMX",
    "amx_int8": "AMX INT8",
    "amx_bf16": "AMX BF16",
    "asimd": "NEON",
    "asimddp": "NEON dot product",
    "asimdhp": "NEON FP16",
    "i8mm": "NEON I8MM",
    "sve": "SVE",
}
_PROCESS = psutil.Process()
BUSY_SHARE = 0.10
"""Share of the cores in other hands from which on times are not to be believed, nor published.

Measured with b0-tiny on one core with another user that ran for 4 ms at a time: medians were 33 %
longer at a share of 25 % and 76 % at 40 %. Below that the steps (at most 9 % at shares of up to
15 %) do not stand clear of that machine's own drift, which was 28 % from the first measurement to
the last; the limit is a cautious one below what certainly shows.
"""


@dataclass(frozen=True)
class Cpu:
    """The processor. ``features`` is None where this operating system does not tell them."""

    model: str
    architecture: str
    physical_cores: int | None
    logical_cores: int
    usable_cores: int
    features: tuple[str, ...] | None

    def has(self, feature: str) -> bool | None:
        """Whether it has a feature, as named here (``AVX2``); None where that is not known."""
        return None if self.features is None else feature in self.features


@dataclass(frozen=True)
class Memory:
    """Physical memory in bytes; ``limit`` is a container's, where there is one."""

    total: int
    available: int
    limit: int | None


@dataclass(frozen=True)
class Load:
    """How busy the machine was while this process rested. ``average`` is of one minute."""

    busy_share: float
    average: float | None
    cores: int


class CpuWatch:
    """Tells what share of the cores that this process may run on others took since it was made."""

    def __init__(self) -> None:
        """Start watching."""
        self._busy, self._total = _machine_seconds()
        self._own = _own_seconds()

    def share_of_others(self) -> float:
        """0 to 1; time stolen by a hypervisor counts as another process's."""
        busy, total = _machine_seconds()
        elapsed = total - self._total
        if elapsed <= 0:
            return 0.0
        others = (busy - self._busy) - (_own_seconds() - self._own)
        return min(1.0, max(0.0, others / elapsed))


def measure_load(seconds: float = 1.0) -> Load:
    """Rest for ``seconds`` and see what the others do meanwhile."""
    watch = CpuWatch()
    time.sleep(seconds)
    average = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Load(watch.share_of_others(), average, psutil.cpu_count() or 1)


def running_reduced() -> bool:
    """True where this process gives way to others (``nice`` above 0)."""
    return sys.platform != "win32" and os.getpriority(os.PRIO_PROCESS, 0) > 0


def read_cpu() -> Cpu:
    """The processor of this machine."""
    fields = _cpuinfo_fields()
    model = fields.get("model name") or _sysctl("machdep.cpu.brand_string") or platform.processor()
    logical = psutil.cpu_count() or 1
    return Cpu(
        model=model or "unknown",
        architecture=platform.machine(),
        physical_cores=psutil.cpu_count(logical=False),
        logical_cores=logical,
        usable_cores=usable_cores(),
        features=_features(fields),
    )


def read_memory() -> Memory:
    """Physical memory, and what is free for use now."""
    memory = psutil.virtual_memory()
    limit = _container_memory()
    available = int(memory.available)
    if limit is not None:
        used = _first_number("/sys/fs/cgroup/memory.current") or 0
        available = min(available, max(0, limit - used))
    return Memory(int(memory.total), available, limit)


def process_memory() -> int:
    """Bytes of physical memory that this process holds now."""
    return int(_PROCESS.memory_info().rss)


def reset_peak_memory() -> None:
    """Forget the peak so far, where the operating system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory() -> int:
    """The most bytes of physical memory that this process has held (since a reset on Linux).

    Not ``getrusage``: on Linux a child begins with the peak of the process that started it.
    """
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return int(_PROCESS.memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def give_back_memory() -> None:
    """Give the system back what the C library keeps of freed memory; glibc alone can be asked to.

    Its heap fragments where blocks of many sizes come and go: tracking 900 frames held 590 MB at
    most, and never more than 400 MB after this was called.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


def _machine_seconds() -> tuple[float, float]:
    """(busy, all) processor seconds since the machine started, of the cores we may run on."""
    busy = total = 0.0
    allowed = allowed_cores()
    for core, times in enumerate(psutil.cpu_times(percpu=True)):
        if core in allowed:
            guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # within user
            spent = sum(times) - guest
            total += spent
            busy += spent - times.idle - getattr(times, "iowait", 0.0)
    return busy, total


def _own_seconds() -> float:
    times = _PROCESS.cpu_times()
    return float(sum(times[:4]))  # user and system, of this process and of its ended children


def _cpuinfo_fields() -> dict[str, str]:
    """The first processor's entries of /proc/cpuinfo; empty elsewhere than on Linux."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first = text.split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _features(fields: dict[str, str]) -> tuple[str, ...] | None:
    flags = fields.get("flags") or fields.get("Features")
    if flags is None and sys.platform == "darwin":
        names = _sysctl("machdep.cpu.features") + " " + _sysctl("machdep.cpu.leaf7_features")
        flags = names.lower() if names.strip() else None
        if platform.machine() == "arm64":
            flags = "asimd" + (" asimddp" if _sysctl("hw.optional.arm.FEAT_DotProd") == "1" else "")
    if flags is None:
        return None
    present = set(flags.split())
    return tuple(name for flag, name in _FEATURES.items() if flag in present)


def _sysctl(name: str) -> str:
    if sys.platform != "darwin":
        return ""
    done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _container_memory() -> int | None:
    return _first_number("/sys/fs/cgroup/memory.max")


def _first_number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None
