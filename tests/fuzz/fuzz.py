"""``make fuzz``: every reader against bytes that nobody meant for it, some seconds each.

A target is a module of ``targets/`` with ``SUFFIX`` and ``read(path)``; its inputs start from
``corpus/TARGET/``. All that ``read`` may raise is a LocoExportError. What raises anything else,
takes over ten seconds or over 2 GiB is kept in ``corpus/TARGET/find-*``, where
``test_fuzz_corpus.py`` replays it for good. What merely reaches new code stays in ``.fuzz/``.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "targets"))


def main() -> int:
    """Run the targets named, or all of them; the exit code is 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("targets", nargs="*", default=target_names())
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    arguments = parser.parse_args()
    found = [name for name in arguments.targets if not run_apart(name, arguments.seconds)]
    print(f"{len(arguments.targets)} targets; found something in: {', '.join(found) or 'none'}")
    return 1 if found else 0


def target_names() -> list[str]:
    """The targets, in the order of the alphabet."""
    return sorted(path.stem for path in (HERE / "targets").glob("*.py"))


def run_apart(name: str, seconds: int) -> bool:
    """Fuzz one target in a process of its own; True where nothing was found."""
    corpus, reached = HERE / "corpus" / name, Path(".fuzz") / name
    reached.mkdir(parents=True, exist_ok=True)
    print(f"== {name}, {seconds} s", flush=True)
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=65536"]
    kept = f"-artifact_prefix={corpus}/find-"
    folders = [str(reached), str(corpus)]
    command = [sys.executable, __file__, "one", name, *limits, kept, *folders]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    lines = done.stderr.strip().splitlines()
    print("\n".join(lines[-25:] if done.returncode else lines[-1:]), flush=True)
    return done.returncode == 0


def fuzz_one(name: str, *options: str) -> None:
    """Fuzz one target in this process, with libFuzzer's options; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["locoexport"]):
        target = importlib.import_module(name)
    from locoexport.errors import LocoExportError

    folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    path = Path(folder.name) / f"input{target.SUFFIX}"

    def try_bytes(data: bytes) -> None:
        path.write_bytes(data)
        try:
            target.read(path)
        except LocoExportError:
            return

    atheris.Setup([sys.argv[0], *options], try_bytes)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        fuzz_one(*sys.argv[2:])
    sys.exit(main())
