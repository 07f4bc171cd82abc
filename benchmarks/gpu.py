"""The GPU in one command: parity, tests, precisions, opponents and throughput on this card.

    python benchmarks/gpu.py [--minutes 8]            goes on where the last run stopped
    python benchmarks/gpu.py --provider cpu --dry     the same code, small, without a GPU

Each part that ends is written to gpu.json at once, so a run may be stopped or killed at any time;
the next one measures what is left, and none begins what it cannot end in ``--minutes``. A part that
fails says why, and the others go on. docs/gpu.json and docs/gpu.md are written unless ``--out``
names another folder (on a lent machine: one that comes back); ``--pages`` writes the page from
docs/gpu.json. What a machine without a network needs: docs/gpu.md. A dry run writes to a scratch
folder, never to docs/.

Exit codes: 0 everything is measured; 1 a part failed; 2 wrong options; 3 there is no GPU here, or a
package is missing; 4 the time is over and parts are left.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gpu_setting import (
    DRY_LABEL,
    ROOT,
    Setting,
    describe_machine,
    digest_sources,
    find_obstacles,
)

# A machine that was lent has the checkout and nothing installed.
sys.path.insert(0, str(ROOT))

_DOCS = ROOT / "docs"
_WORK = ROOT / "build" / "gpu-models"
_SCHEMA = "locoexport.gpu/1"
_MARGIN = 1.3
"""How much longer than the last of its kind a part may take."""
FAILED, REFUSED, LEFT = 1, 3, 4

Document = dict[str, Any]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Budget:
    """Until when parts may be begun and may go on."""

    began: float
    minutes: float

    @property
    def left(self) -> float:
        """Seconds."""
        return self.began + self.minutes * 60 - time.monotonic()


def main() -> None:
    """Measure, write and end with the exit code above."""
    began = time.monotonic()
    options = _read_options()
    if options.pages:
        _write_pages(_DOCS)
        return
    exports = options.models is None
    if options.export_to is not None:
        _refuse_if(find_obstacles(exports=True, dry=True))
        sys.exit(_export(options))
    _refuse_if(find_obstacles(exports=exports, dry=options.dry))
    setting = _settle(options)
    out = options.out or (
        Path(tempfile.mkdtemp(prefix="locoexport-gpu-")) if options.dry else _DOCS
    )
    out.mkdir(parents=True, exist_ok=True)

    def tell(text: str) -> None:
        label = f"{DRY_LABEL}: " if options.dry else ""
        print(f"{label}[{time.monotonic() - began:5.0f} s] {text}", file=sys.stderr, flush=True)

    sys.exit(measure_all(options, setting, out, Budget(began, options.minutes), tell))


def measure_all(
    options: argparse.Namespace, setting: Setting, out: Path, budget: Budget, tell: Tell
) -> int:
    """Measure what is due, and print the tables; returns the exit code."""
    from gpu_pages import write_tables
    from gpu_plan import list_parts
    from gpu_worker import Worker

    parts = list_parts(setting, options.variants)
    chosen = [part for part in parts if part.name.startswith(options.only)]
    document = read_document(out / "gpu.json", setting, anew=options.anew)
    document["planned"] = len(parts)
    forget(document, options.again)
    worker = Worker(setting)
    try:
        left = run_parts(chosen, document, worker, budget, tell, lambda: keep(document, out))
    finally:
        worker.close()
        keep(document, out)
    print(write_tables(document))
    tell(f"{len(document['parts'])} of {len(parts)} parts are in {out / 'gpu.json'}")
    if left:
        tell(f"the time is over and {len(left)} parts are left: run the same command again")
    if any(row["state"] == "failed" for row in document["parts"].values()):
        return FAILED
    return LEFT if left else 0


def run_parts(
    parts: Sequence[Any],
    document: Document,
    worker: Any,
    budget: Budget,
    tell: Tell,
    kept: Callable[[], None],
) -> list[str]:
    """Measure every part that is not in the document and fits into the time; names of the rest.

    ``kept`` is called after each part. Smaller parts may still fit where a large one does not.
    """
    left = []
    for part in parts:
        if part.name in document["parts"]:
            continue
        needs = estimate(part, document)
        if needs > budget.left:
            left.append(part.name)
            rest = max(budget.left, 0)
            tell(f"{part.name}: not begun, it may take {needs:.0f} s of {rest:.0f} left")
            continue
        tell(f"{part.name}: begun")
        row = worker.measure(part, budget.left)
        if row["state"] == "unfinished":
            document["unfinished"][part.name] = row["seconds"]
            left.append(part.name)
            tell(f"{part.name}: ended after {row['seconds']:.0f} s, for the time is over")
        else:
            document["unfinished"].pop(part.name, None)
            document["parts"][part.name] = row
            tell(f"{part.name}: {row['state']} in {row['seconds']:.1f} s {row.get('error') or ''}")
        kept()
    return left


def estimate(part: Any, document: Document) -> float:
    """Seconds that a part may take: as the longest of its kind, else as was guessed.

    What was found not to be there costs another of its kind no more time than that took.
    """
    kind = part.name.split()[0]
    taken = [
        row["seconds"]
        for name, row in document["parts"].items()
        if name.split()[0] == kind and row["state"] in ("measured", "absent")
    ]
    longest = max(taken) * _MARGIN if taken else part.seconds
    return float(max(longest, document["unfinished"].get(part.name, 0.0) * _MARGIN))


def read_document(path: Path, setting: Setting, *, anew: bool) -> Document:
    """What was measured before on this very machine with these very sources; else an empty one.

    Raises:
        SystemExit: the file is of another machine, of other sources, or of the other kind of run.
    """
    new: Document = {
        "schema": _SCHEMA,
        "dry": setting.dry,
        "provider": setting.provider,
        "machine": describe_machine(dry=setting.dry),
        "sources": digest_sources(),
        "planned": 0,
        "parts": {},
        "unfinished": {},
    }
    if anew or not path.is_file():
        return new
    found: Document = json.loads(path.read_text(encoding="utf-8"))
    same = ("schema", "dry", "provider", "machine", "sources")
    if differing := [key for key in same if found.get(key) != new[key]]:
        raise SystemExit(
            f"{path} holds figures of another run ({', '.join(differing)} differ), and figures of "
            "two do not mix. --anew begins again; --out DIR writes elsewhere."
        )
    return found


def forget(document: Document, again: str | None) -> None:
    """Take out what is to be measured again: what ``failed``, or names that begin so."""
    if again is None:
        return
    document["unfinished"] = {
        name: seconds
        for name, seconds in document["unfinished"].items()
        if again == "failed" or not name.startswith(again)
    }
    document["parts"] = {
        name: row
        for name, row in document["parts"].items()
        if not (row["state"] == "failed" if again == "failed" else name.startswith(again))
    }


def keep(document: Document, out: Path) -> None:
    """gpu.json whole, and docs/gpu.md where it is beside it and this was no dry run."""
    from gpu_pages import write_page

    from locoexport.machine.writing.output_files import whole_file

    with whole_file(out / "gpu.json") as draft:
        draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if not document["dry"] and (out / "gpu.md").is_file():
        write_page(document, out / "gpu.md")


def _write_pages(docs: Path) -> None:
    from gpu_pages import write_page

    if not (docs / "gpu.json").is_file():
        raise SystemExit(f"{docs / 'gpu.json'} is not there: nothing has been measured yet.")
    document = json.loads((docs / "gpu.json").read_text(encoding="utf-8"))
    write_page(document, docs / "gpu.md")


def _settle(options: argparse.Namespace) -> Setting:
    from gpu_files import check_models

    if options.models is not None:
        check_models(options.models)
    work = _WORK / digest_sources()
    return Setting(options.provider, options.dry, options.models, work)


def _export(options: argparse.Namespace) -> int:
    from gpu_files import export_all
    from gpu_plan import list_files, list_parts

    setting = Setting(options.provider, options.dry, None, options.export_to)
    parts = list_parts(setting, options.variants)
    due = list_files(part for part in parts if part.name.startswith(options.only))
    return FAILED if export_all(due, options.export_to, options.jobs) else 0


def _refuse_if(obstacles: list[str]) -> None:
    if obstacles:
        lines = "\n".join(f"- {line}" for line in obstacles)
        print(f"The GPU benchmark cannot run here:\n{lines}", file=sys.stderr)
        print("Without a GPU: --provider cpu --dry tries the same code, small.", file=sys.stderr)
        sys.exit(REFUSED)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=8.0, help="stop before they are over")
    parser.add_argument("--provider", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument(
        "--dry", action="store_true", help="small, on the CPU, into a scratch folder"
    )
    parser.add_argument("--models", type=Path, help="a folder that --export-to made")
    parser.add_argument("--export-to", type=Path, help="make the files there and measure nothing")
    parser.add_argument("--jobs", type=int, default=1, help="files made at a time")
    parser.add_argument("--variants", type=lambda text: tuple(text.split(",")), default=())
    parser.add_argument("--only", default="", help="parts whose names begin so")
    parser.add_argument("--again", help="measure again: failed, or parts whose names begin so")
    parser.add_argument("--anew", action="store_true", help="forget what was measured before")
    parser.add_argument("--out", type=Path, help="where gpu.json goes (default docs/)")
    parser.add_argument("--pages", action="store_true", help="docs/gpu.md from docs/gpu.json")
    options = parser.parse_args()
    if options.dry != (options.provider == "cpu") and options.export_to is None:
        parser.error("a dry run is one on the CPU provider: --provider cpu and --dry go together")
    if options.dry and options.out is not None and options.out.resolve() == _DOCS:
        parser.error("a dry run writes nothing to docs/: name another folder with --out")
    if options.minutes <= 0:
        parser.error("--minutes: expected a positive number")
    return options


if __name__ == "__main__":
    main()
