"""Every provider of this machine in every precision: distance from PyTorch, time, placement.

    python benchmarks/provider_matrix.py [--variants b0-tiny,b0] [--precisions fp32,fp16,int8]
                                         [--rounds 7] [--no-time] [--docs]

``--docs`` writes docs/providers.json and the table in docs/providers.md, between its two marks,
after every row: what was measured is kept where the run is interrupted or killed. A row that fails
says why and the next one follows. Providers that do not work here are named with what is missing,
never left out in silence. Times are medians of runs that take turns with the float32 file on the
CPU provider; ``--no-time`` leaves them out (on a machine that is busy).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import locoexport  # noqa: F401  it switches ONNX Runtime's telemetry off, which has to come first

# isort: split
import numpy as np
import onnxruntime
from marked_pages import write_between
from quiet_machine import require_quiet

from locoexport.benchmarking.contenders import open_graph
from locoexport.benchmarking.timing import settle, take_turns
from locoexport.contract.profile import SCORED_HW, ExportProfile, IntegerForm, load_profile
from locoexport.contract.profile_tables import QuantisedPart
from locoexport.contract.visibility import visible_from_logits
from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence
from locoexport.evaluation.metrics import sample_queries
from locoexport.evaluation.sides import GraphSide, TorchSide
from locoexport.lowering.tracker.finishing import to_bytes, with_properties
from locoexport.machine.hardware import measure_load, read_cpu
from locoexport.machine.installation import installed_version
from locoexport.machine.writing.output_files import whole_file
from locoexport.models import locotrack
from locoexport.network.loading import load_network
from locoexport.notices import ignore
from locoexport.parity.probes import make_probe
from locoexport.pipeline.assembly.graph import FinishedGraph, build_graph, lower_precision
from locoexport.pipeline.assembly.precision import weight_bits_here
from locoexport.pipeline.proof.pointwise import make_probes, prove
from locoexport.runtime.session.placement import count_placed, placed_elsewhere
from locoexport.runtime.session.providers import PROVIDERS, probe_provider
from locoexport.runtime.session.single import RawTracks, open_session
from locoexport.runtime.tracks.tapvid import TapVidClip

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
VARIANTS = ("b0-tiny", "b0")
PRECISIONS = ("fp32", "fp16", "int8")
INT8_PARTS: tuple[QuantisedPart, ...] = ("transformer", "cmdtop")
"""The same for all variants; an export may choose others by what it measures."""
SHAPES = ((1, 2, 1), (2, 3, 4), (1, 8, 20))
SEQUENCES = 6
SETTINGS = SyntheticSettings(frames=24, points=64, seed=0)
"""Those that ``export --precision`` measures its cost on."""
TIMED = (8, 64)
_INTERRUPTED = 130

Row = dict[str, Any]
Tell = Callable[[str], None]


def in_precision(profile: ExportProfile, precision: str) -> ExportProfile:
    """The profile in that precision; of int8 the parts are named."""
    form = IntegerForm(INT8_PARTS, weight_bits_here()) if precision == "int8" else None
    return profile.with_options(precision=precision, integer_form=form)


class Variant:
    """One variant: the unrewritten model, its files, and its answers, each made once.

    The files are those that ``export`` writes, less what it proves and measures before: the rows
    say that.
    """

    def __init__(self, name: str, folder: Path) -> None:
        """Load the network with the profile's own weights; files go into ``folder``."""
        self.profile = load_profile(name)
        self._network = load_network(self.profile, None)
        self.model = self._network.model
        self._folder = folder
        self._whole: FinishedGraph | None = None
        self._answers: list[RawTracks] = []

    def file(self, precision: str, tell: Tell) -> Path:
        """The .onnx file in that precision."""
        path = self._folder / f"{self.profile.name}-{precision}.onnx"
        if not path.exists():
            tell(f"{self.profile.name} {precision}: making the file")
            profile = in_precision(self.profile, precision)
            if self._whole is None:
                self._whole = build_graph(self.profile, self._network, simplify=True, notify=ignore)
            graph = self._whole
            if precision != "fp32":
                graph = lower_precision(graph, profile, (), ignore)
            properties = graph.metadata.to_properties()
            with whole_file(path) as draft:
                draft.write_bytes(to_bytes(with_properties(graph.model, properties)))
        return path

    def answer(self, index: int, clip: TapVidClip) -> RawTracks:
        """PyTorch's on the sequence of that index; they are asked for in order."""
        if index == len(self._answers):
            self._answers.append(TorchSide(self.model).track(clip.video, queries_of(clip)))
        return self._answers[index]


def main() -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", default=",".join(VARIANTS), help="names, or all")
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    parser.add_argument("--rounds", type=int, default=7, help="timed runs of each side")
    parser.add_argument("--docs", action="store_true", help="write docs/providers.*")
    parser.add_argument("--no-time", action="store_true")
    given = parser.parse_args()
    variants = list(locotrack.VARIANTS) if given.variants == "all" else given.variants.split(",")
    rounds = 0 if given.no_time else given.rounds
    began = time.perf_counter()

    def tell(text: str) -> None:
        sys.stderr.write(f"[{time.perf_counter() - began:5.0f} s] {text}\n")
        sys.stderr.flush()

    keep = write_docs if given.docs else (lambda document: None)
    document = describe_machine(rounds)
    if given.docs and rounds:
        # Before hours of work, every row of which is published as it is measured.
        require_quiet({"before the benchmark": document["busy_before"]}, document, "providers")
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(
                document, variants, given.precisions.split(","), rounds, Path(folder), tell, keep
            )
    except KeyboardInterrupt:
        tell(f"interrupted; {len(document['rows'])} rows were measured")
        print(write_table(document))
        sys.exit(_INTERRUPTED)
    print(write_table(document))
    sys.exit(1 if any(row["error"] for row in document["rows"]) else 0)


def describe_machine(rounds: int) -> dict[str, Any]:
    """The document without a row; ``rounds`` 0: nothing is timed."""
    probes = {name: probe_provider(name) for name in PROVIDERS}
    return {
        "cpu": asdict(read_cpu()),
        "busy_before": measure_load(1.0).busy_share,
        "rounds": rounds,
        "onnxruntime": onnxruntime.__version__,
        "openvino": installed_version("openvino"),
        "working": [name for name, probe in probes.items() if probe.works],
        "absent": {name: probe.missing for name, probe in probes.items() if not probe.works},
        "complete": False,
        "rows": [],
    }


def measure(
    document: dict[str, Any],
    variants: Sequence[str],
    precisions: Sequence[str],
    rounds: int,
    folder: Path,
    tell: Tell,
    keep: Callable[[dict[str, Any]], None],
) -> None:
    """Fill the document row by row; ``keep`` is given it after each. Files go into ``folder``."""
    keep(document)
    for name in variants:
        variant = None
        for precision in precisions:
            for provider in document["working"]:
                row: Row = {"variant": name, "precision": precision, "provider": provider}
                try:
                    variant = variant or Variant(name, folder)
                    row |= one_row(variant, precision, provider, rounds, tell)
                    row["error"] = None
                # One row that fails, for whatever reason, must not take the others with it.
                except Exception as error:
                    row["error"] = " ".join(f"{type(error).__name__}: {error}".split())
                document["rows"].append(row)
                keep(document)
                tell(f"{named(row)}: {row['error'] or said_of(row)}")
    document["complete"] = True
    keep(document)


def one_row(variant: Variant, precision: str, provider: str, rounds: int, tell: Tell) -> Row:
    """Where the nodes ran, distance from PyTorch, and time."""
    path, label = variant.file(precision, tell), f"{variant.profile.name} {precision} on {provider}"
    row: Row = {"bytes": path.stat().st_size}
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(path, provider, profile_prefix=Path(folder) / "profile")
        probes = list(make_probes(SHAPES, variant.profile.axes, variant.profile.resolution_hw))
        if precision == "fp32":
            tell(f"{label}: parity")
            report = prove(session, variant.model, probes, variant.profile.tolerance, ignore)
            row |= {"px": report.worst_px, "logits": report.worst_logit}
            row |= {"apart": report.apart_points, "within": report.passed}
        else:
            session.run(probes[0].video, probes[0].query_points_tyx)
        nodes = session.placed_nodes()
    row["placement"] = dict(count_placed(nodes))
    row["elsewhere"] = [asdict(group) for group in placed_elsewhere(nodes, provider)]
    row |= on_sequences(variant, path, provider, lambda text: tell(f"{label}: {text}"))
    if precision != "fp32":
        row["within"] = row["p99_px"] <= variant.profile.precision_limits.of(precision)
    if not rounds:
        return {**row, "ms": None, "cpu_fp32_ms": None, "ratio": None}
    tell(f"{label}: timing")
    return row | one_time(path, variant.file("fp32", tell), provider, rounds)


def on_sequences(variant: Variant, path: Path, provider: str, tell: Tell) -> Row:
    """Distance from PyTorch where it says visible, on sequences with known motion, and flips."""
    side = GraphSide(open_session(path, provider))
    distances, flips, compared = [], 0, 0
    for index in range(SEQUENCES):
        tell(f"sequence {index + 1} of {SEQUENCES}")
        clip = make_sequence(index, SETTINGS)
        expected = variant.answer(index, clip)
        found = side.track(clip.video, queries_of(clip))
        said, _ = visible_from_logits(expected.occlusion, expected.expected_dist)
        says, _ = visible_from_logits(found.occlusion, found.expected_dist)
        apart = np.sqrt(np.square(found.tracks_xy - expected.tracks_xy).sum(axis=-1))
        distances.append(apart[said])
        flips, compared = flips + int((said != says).sum()), compared + said.size
    pixels = np.concatenate(distances)
    p50, p99 = np.quantile(pixels, (0.5, 0.99))
    return {
        "p50_px": float(p50),
        "p99_px": float(p99),
        "max_px": float(pixels.max()),
        "flips": flips,
        "compared": compared,
    }


def one_time(path: Path, whole: Path, provider: str, rounds: int) -> Row:
    """Milliseconds of a call, in turns with the float32 file ``whole`` on the CPU provider."""
    frames, points = TIMED
    sides = [open_graph(path, provider, "this"), open_graph(whole, "cpu", "cpu")]
    for side in sides:
        probe = make_probe(
            "textured", batch=1, frames=frames, points=points, size_hw=side.resolution_hw, seed=0
        )
        side.prepare(probe.video, probe.query_points_tyx)
        settle(side)
    seconds = take_turns(sides, rounds, progress=lambda done: None)
    ours, cpu = (statistics.median(side) for side in seconds)
    return {"ms": ours * 1e3, "cpu_fp32_ms": cpu * 1e3, "ratio": cpu / ours}


def queries_of(clip: TapVidClip) -> Any:
    """(1, N, 3) query points as ``eval`` asks them, in pixels of 256x256."""
    truth = clip.points * np.array(SCORED_HW[::-1], np.float64)
    return sample_queries(clip.occluded, truth, "first")["query_points"].astype(np.float32)


def named(row: Row) -> str:
    """Which row it is."""
    return f"{row['variant']} {row['precision']} on {row['provider']}"


def said_of(row: Row) -> str:
    """A finished row in a few words."""
    time_taken = "not timed" if row["ms"] is None else f"{row['ms']:.0f} ms"
    return f"p99 {row['p99_px']:.1e} px, {row['flips']} flips, {time_taken}"


def write_docs(document: dict[str, Any]) -> None:
    """docs/providers.json whole, and the table in docs/providers.md."""
    with whole_file(ROOT / "docs" / "providers.json") as draft:
        draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    write_between(ROOT / "docs" / "providers.md", BEGIN, END, write_table(document))


def write_table(document: dict[str, Any]) -> str:
    """The table as Markdown, and what it was measured on."""
    cpu = document["cpu"]
    frames, points = TIMED
    shapes = ", ".join("x".join(map(str, shape)) for shape in SHAPES)
    timed = (
        f"- **ms**: one call at {frames} x {points}, median of {document['rounds']} runs that "
        "alternate with the float32 file on the CPU provider. **x**: the time of that file "
        "divided by the time of this one. Other processes took "
        f"{document['busy_before']:.0%} of the machine before the run."
        if document["rounds"]
        else "- Nothing was timed in this run."
    )
    lines = [
        f"{cpu['model']}, {cpu['usable_cores']} cores; ONNX Runtime {document['onnxruntime']}, "
        f"OpenVINO {document['openvino']}. All answers are compared with the unrewritten PyTorch "
        "model in float32.",
        "",
        f"- **Worst px, logits**: parity at {shapes} (batch x frames x points) and on noise; fp32 "
        "only.",
        "- **p50, p99, max**: px of 256x256, where PyTorch says visible, on "
        f"{SEQUENCES} synthetic sequences of {SETTINGS.frames} frames. **Flips**: how often "
        "visibility differs there.",
        f"- **int8**: {' and '.join(INT8_PARTS)} in 8 bits.",
        "- **Within**: fp32 is within its parity tolerance; fp16 and int8 are within the profile's "
        "limit on p99.",
        timed,
        "",
        "| variant | precision | provider | MB | worst px | logits | p50 | p99 | max | flips | "
        "within | ms | x | nodes on other providers |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_table_row(row) for row in document["rows"]]
    if not document["complete"]:
        lines += ["", "The run was interrupted: rows are missing."]
    if document["absent"]:
        lines += ["", "Not available on this machine:", ""]
        lines += [f"- {name}: {missing}" for name, missing in document["absent"].items()]
    return "\n".join(lines)


def _table_row(row: Row) -> str:
    names = [row["variant"], row["precision"], row["provider"]]
    if row["error"] is not None:
        reason = row["error"].replace("|", "\\|")
        return f"| {' | '.join(names)} | **failed**: {reason} |{' |' * 10}"
    elsewhere = "; ".join(
        f"{group['count']} {group['op_type']} of {group['part']} on {group['provider']}"
        for group in row["elsewhere"]
    )
    cells = [
        f"{row['bytes'] / 1e6:.1f}",
        f"{row['px']:.1e}" if "px" in row else "-",
        f"{row['logits']:.1e}" if "logits" in row else "-",
        f"{row['p50_px']:.1e}",
        f"{row['p99_px']:.1e}",
        f"{row['max_px']:.1e}",
        f"{row['flips']} of {row['compared']}",
        "yes" if row["within"] else "**no**",
        "not timed" if row["ms"] is None else f"{row['ms']:.0f}",
        "-" if row["ratio"] is None else f"{row['ratio']:.2f}",
        elsewhere or "-",
    ]
    return f"| {' | '.join([*names, *cells])} |"


if __name__ == "__main__":
    main()
