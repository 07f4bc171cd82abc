"""How ``rewrite`` was tried: ONNX's whole node suite and real architectures, counted.

    python benchmarks/rewrite_suite.py nodes [--docs] [--json FILE]
    python benchmarks/rewrite_suite.py networks [--docs]

``nodes`` rewrites every node test of the installed onnx to each opset that it can be brought down
to, and judges what comes out by the test's own outputs. ``networks`` exports every network of
parity_tests/volumetric_exports.py with both of torch's exporters and compares with torch; a
network whose package is not installed is listed as such. ``--docs`` writes the counts between the
page's two marks. Both run in two processes. The exit code is 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from marked_pages import write_between

sys.path[:0] = [str(Path(__file__).parents[1] / "parity_tests")]

if TYPE_CHECKING:
    from node_suite import Attempt
    from volumetric_exports import Verdict

DOCS = Path(__file__).parents[1] / "docs" / "volumetric-sampling.md"
PARTS, TARGETS = 24, (None, 16, 17)


def main() -> None:
    """Run one of the two, print its tables, and with ``--docs`` put them into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("nodes", "networks"))
    parser.add_argument("--docs", action="store_true", help=f"put the tables into {DOCS.name}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every single rewrite as well")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    text, rows, wrong = (_nodes if options.what == "nodes" else _networks)(options.processes)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1, default=str), encoding="utf-8")
    if options.docs:
        mark = f"<!-- {options.what}:"
        write_between(DOCS, f"{mark} begin -->", f"{mark} end -->", text)
    raise SystemExit(1 if wrong else 0)


def _nodes(processes: int) -> tuple[str, list[object], bool]:
    found = [one for part in _spread(_part_of_nodes, range(PARTS), processes) for one in part]
    wrong = any(o.outcome in ("wrong", "traceback") or o.is_false_alarm for o in found)
    return describe_nodes(found), [asdict(one) for one in found], wrong


def _part_of_nodes(part: int) -> list[Attempt]:
    from node_suite import attempt, node_cases, targets_of

    return [
        attempt(case, target, to)
        for case in node_cases()[part::PARTS]
        for target, to in targets_of(case)
    ]


def describe_nodes(found: Sequence[Attempt]) -> str:
    """Outcomes by target, and what was refused by its reason."""
    from node_suite import OUTCOMES, TARGETS

    packages = ", ".join(f"{name} {version(name)}" for name in ("onnx", "onnxruntime-gpu"))
    lines = [
        f"{len(found):,} rewrites of {len({one.name for one in found}):,} node tests ({packages}):",
        "",
        "| outcome | " + " | ".join(_told(target) for target in TARGETS) + " |",
        "|---|" + "---|" * len(TARGETS),
    ]
    cells = Counter((one.outcome, one.target) for one in found)
    for outcome in OUTCOMES:
        row = " | ".join(str(cells[outcome, target]) for target in TARGETS)
        lines.append(f"| {outcome} | {row} |")
    alarms = sum(one.is_false_alarm for one in found)
    lines += ["", f"Refused although the rewritten model is right: {alarms}.", ""]
    reasons = Counter((one.outcome, one.kind) for one in found if one.kind)
    lines += ["| outcome | reason | rewrites |", "|---|---|---|"]
    lines += [f"| {out} | {kind} | {count} |" for (out, kind), count in reasons.most_common()]
    return "\n".join(lines)


def _told(target: int | None) -> str:
    return "no `--opset`" if target is None else f"`--opset {target}`"


def _networks(processes: int) -> tuple[str, list[object], bool]:
    from volumetric_exports import ARCHITECTURES

    names = [architecture.name for architecture in ARCHITECTURES]
    found = list(_spread(_one_network, names, processes))
    verdicts = [one for rows, _ in found for one in rows]
    text = describe_networks(dict(zip(names, found, strict=True)))
    return text, [asdict(one) for one in verdicts], any(one.fault for one in verdicts)


def _one_network(name: str) -> tuple[list[Verdict], str]:
    """Every rewrite of a network, and what could not be exported at all."""
    from volumetric_exports import ARCHITECTURES, EXPORTS, export, lacking, verdict

    (architecture,) = [one for one in ARCHITECTURES if one.name == name]
    if reason := lacking(architecture):
        return [], reason
    verdicts, refused = [], []
    for how in EXPORTS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                model = export(architecture, how, Path(folder) / "model.onnx")
            except Exception as error:  # torch's exporters have no common class
                refused.append(f"{how}: {type(error).__name__}")
                continue
        verdicts += [
            verdict(architecture, how, model, to, target)
            for to in ("gather", "planar")
            for target in TARGETS
        ]
    return verdicts, f"torch does not export {', '.join(refused)}" if refused else ""


def describe_networks(found: dict[str, tuple[list[Verdict], str]]) -> str:
    """A row for each network."""
    outcomes = ("right", "refused", "not judged", "wrong")
    total = sum(len(rows) for rows, _ in found.values())
    lines = [
        f"{total} rewrites (torch {version('torch')}, onnxruntime-gpu "
        f"{version('onnxruntime-gpu')}):",
        "",
        "| network | " + " | ".join(outcomes) + " | left out |",
        "|---|" + "---|" * (len(outcomes) + 1),
    ]
    for name, (rows, left_out) in found.items():
        counts = Counter(one.outcome for one in rows)
        cells = " | ".join(str(counts[outcome]) for outcome in outcomes)
        lines.append(f"| {name} | {cells} | {left_out or '–'} |")
    return "\n".join(lines)


def _spread(work, parts, processes):  # type: ignore[no-untyped-def]
    """In processes of their own, each started afresh: torch and ONNX Runtime dislike forks."""
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_silence) as pool:
        yield from pool.map(work, parts)


def _silence() -> None:
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    warnings.simplefilter("ignore")


if __name__ == "__main__":
    main()
