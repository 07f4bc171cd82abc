"""What the machine says of itself."""

import subprocess
import sys

import pytest

from locoexport.machine import hardware as machine
from locoexport.machine.hardware import (
    CpuWatch,
    give_back_memory,
    measure_load,
    process_memory,
    read_cpu,
    read_memory,
)


def test_features_are_read_from_the_operating_system_s_flags() -> None:
    flags = "fpu sse2 avx avx2 fma f16c avx512f avx512bw avx512_vnni"
    assert machine._features({"flags": flags}) == (
        "AVX2",
        "FMA",
        "F16C",
        "AVX-512",
        "AVX-512BW",
        "AVX-512 VNNI",
    )
    assert machine._features({"flags": "fpu sse2"}) == ()
    assert machine._features({"Features": "fp asimd asimddp"}) == ("NEON", "NEON dot product")


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS tells by sysctl")
def test_features_that_are_not_told_are_unknown_not_absent(monkeypatch) -> None:
    monkeypatch.setattr(machine, "_cpuinfo_fields", dict)
    cpu = read_cpu()
    assert cpu.features is None
    assert cpu.has("AVX2") is None


def test_this_machine_has_cores_and_memory() -> None:
    cpu, memory = read_cpu(), read_memory()
    assert 1 <= cpu.usable_cores <= cpu.logical_cores
    assert 0 < memory.available <= memory.total


def test_peak_memory_sees_what_was_freed_again() -> None:
    """In a process of its own: threads of other tests free memory meanwhile.

    The kernel counts a few dozen pages a processor late, 17 MiB seen on a machine with many.
    """
    child = (
        "from locoexport.machine.hardware import *\n"
        "reset_peak_memory(); before = process_memory()\n"
        "block = bytearray(256 * 2**20); block[::4096] = b'x' * len(block[::4096]); del block\n"
        "print(peak_memory() - before, process_memory() - before)"
    )
    told = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    grown, left = map(int, told.stdout.split())
    assert left < 64 * 2**20 < 192 * 2**20 <= grown


def test_a_watch_does_not_count_this_process() -> None:
    """Figures of a machine that does nothing but spin in this process."""
    readings = iter([(100.0, 1000.0), (150.0, 1100.0)])  # 50 of 100 seconds busy
    own = iter([10.0, 40.0])  # 30 of them our own
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "_machine_seconds", lambda: next(readings))
        patch.setattr(machine, "_own_seconds", lambda: next(own))
        assert CpuWatch().share_of_others() == pytest.approx(0.2)


def test_load_is_what_others_do_while_this_process_rests() -> None:
    load = measure_load(0.05)
    assert 0 <= load.busy_share <= 1
    assert load.cores >= 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be asked to")
def test_freed_memory_is_given_back() -> None:
    """Blocks so small that the C library keeps them; one that stays holds the end of its heap."""
    blocks = [bytearray(60_000) for _ in range(2_000)]
    stays = bytearray(60_000)
    del blocks
    before = process_memory()
    give_back_memory()
    assert before - process_memory() > 60e6
    assert len(stays) == 60_000
