"""The worst errors of the thorough property tests, as the table of docs/volumetric-sampling.md.

    python benchmarks/sampling_errors.py --run FOLDER [--only float64]
    python benchmarks/sampling_errors.py FOLDER/*.txt [--docs]

``--run`` runs every test of tests/lowering/volumetric/test_grid_sample_properties.py by itself,
1000 examples each, and keeps a report of each that passed: stopped and called again, it goes on
where it was. It ends with exit code 1 where a test failed (its output is in FOLDER). The 96 tests
take 2 to 3 minutes of one core each.

A line of a report is: worst error, examples, oracle, element type, lowering, mode, padding,
align_corners. Several reports may be given; a later line of the same combination replaces an
earlier one. ``--docs`` writes the table between the page's two marks. What no report holds is
shown as not measured. The tests of NaN and infinity leave empty reports: they pass or fail.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from marked_pages import write_between

TESTS = "tests/lowering/volumetric/test_grid_sample_properties.py"
DOCS = Path(__file__).parents[1] / "docs" / "volumetric-sampling.md"
BEGIN, END = "<!-- errors: begin -->", "<!-- errors: end -->"
DTYPES = ("float32", "float16", "float64")
ORACLES = ("onnxruntime", "torch")
LOWERINGS = ("gather", "planar")
PADDINGS = ("zeros", "border", "reflection")
Key = tuple[str, str, str, str, str, str]


@dataclass(frozen=True)
class Found:
    """The worst error of a combination over so many examples."""

    error: float
    examples: int


def main() -> None:
    """Print the table, and with ``--docs`` put it into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reports", type=Path, nargs="*")
    parser.add_argument("--run", type=Path, metavar="FOLDER", help="run the tests, one by one")
    parser.add_argument("--only", default="", help="run those alone whose name holds this")
    parser.add_argument("--docs", action="store_true", help=f"put the table into {DOCS.name}")
    options = parser.parse_args()
    if options.run:
        raise SystemExit(run_all(options.run, options.only))
    if not options.reports:
        parser.error("name the reports, or --run FOLDER")
    text = describe(read(options.reports))
    print(text)
    if options.docs:
        write_between(DOCS, BEGIN, END, text)


def run_all(folder: Path, only: str) -> int:
    """Every test that has no report in ``folder`` yet; returns how many failed, at most 1."""
    folder.mkdir(exist_ok=True)
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [*pytest, "--collect-only", TESTS], capture_output=True, text=True, check=True
    )
    nodes = [line for line in found.stdout.splitlines() if "::" in line and only in line]
    failed = 0
    for number, node in enumerate(nodes, start=1):
        name = re.sub(r"\W+", "-", node.split("::test_")[1]).strip("-")
        report, partial = folder / f"{name}.txt", folder / f"{name}.part"
        if report.exists():
            continue
        partial.write_text("", encoding="utf-8")
        thorough = {"LOCOEXPORT_THOROUGH": "1", "LOCOEXPORT_THOROUGH_REPORT": str(partial)}
        with open(folder / f"{name}.log", "w", encoding="utf-8") as log:
            done = subprocess.run(
                [*pytest, node], env=os.environ | thorough, stdout=log, check=False
            )
        print(f"{number} of {len(nodes)}: {name} {'FAILED' if done.returncode else 'passed'}")
        if done.returncode:
            failed = 1
        else:
            partial.rename(report)
    return failed


def read(reports: list[Path]) -> dict[Key, Found]:
    """Every combination of the reports that is not of the tests of NaN and infinity."""
    found: dict[Key, Found] = {}
    for report in reports:
        for line in report.read_text(encoding="utf-8").splitlines():
            error, examples, *key = line.split()
            oracle, dtype, to, mode, padding, align_corners = key
            combination = (oracle, dtype, to, mode, padding, align_corners)
            found[combination] = Found(float(error), int(examples))
    return found


def describe(found: dict[Key, Found]) -> str:
    """A row for each mode, padding and align_corners; both oracles for each type and lowering."""
    columns = [(dtype, to) for dtype in DTYPES for to in LOWERINGS]
    fewest = min(entry.examples for entry in found.values())
    lines = [
        f"Each combination has at least {fewest} examples. Each cell shows the error against ONNX "
        "Runtime's 5D kernel / against PyTorch's.",
        "",
        "| case | " + " | ".join(f"{dtype} {to}" for dtype, to in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for mode in ("linear", "nearest"):
        for padding in PADDINGS:
            for align_corners in "01":
                cells = [
                    " / ".join(
                        _told(found.get((oracle, dtype, to, mode, padding, align_corners)))
                        for oracle in ORACLES
                    )
                    for dtype, to in columns
                ]
                row = f"{mode}, {padding}, align_corners {align_corners}"
                lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _told(entry: Found | None) -> str:
    if entry is None:
        return "not measured"
    return f"{entry.error:.1e}" if entry.error else "0"


if __name__ == "__main__":
    main()
