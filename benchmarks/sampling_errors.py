"""The worst errors of the thorough property tests, as the table of docs/volumetric-sampling.md.

    LOCOEXPORT_THOROUGH=1 LOCOEXPORT_THOROUGH_REPORT=errors.txt \
        python -m pytest tests/lowering/test_gridsample_properties.py
    python benchmarks/sampling_errors.py errors.txt [--docs]

A line of a report is: worst error, examples, oracle, element type, lowering, mode, padding,
align_corners. Several reports may be given; a later line of the same combination replaces an
earlier one. ``--docs`` writes the table between the page's two marks. What no report holds is
shown as not measured. The tests take about 40 minutes of one core.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from locoexport.files import whole_file

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
    parser.add_argument("reports", type=Path, nargs="+")
    parser.add_argument("--docs", action="store_true", help=f"put the table into {DOCS.name}")
    options = parser.parse_args()
    text = describe(read(options.reports))
    print(text)
    if options.docs:
        page = DOCS.read_text(encoding="utf-8")
        head, rest = page.split(BEGIN)
        with whole_file(DOCS) as temporary:
            temporary.write_text(
                f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8"
            )


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
    lines = [
        f"At least {min(entry.examples for entry in found.values())} examples of each combination. "
        "In a cell: against ONNX Runtime's 5D kernel / against PyTorch's.",
        "",
        "| | " + " | ".join(f"{dtype} {to}" for dtype, to in columns) + " |",
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
