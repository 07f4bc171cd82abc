"""docs/gpu.md's tables, from what docs/gpu.json holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gpu_setting import DRY_LABEL
from marked_pages import write_between

__all__ = ["NOTHING", "write_page", "write_tables"]

_BEGIN, _END = "<!-- gpu: begin (written by benchmarks/gpu.py) -->", "<!-- gpu: end -->"
NOTHING = (
    "**Nothing has been measured on a GPU yet.** Every statement about CUDA and TensorRT in these "
    "pages is reasoning, or what ONNX Runtime's own lists of kernels say. The command above fills "
    "this section."
)
_PUBLISHED = (
    ("LocoTrack-S", 7244.0, "points a second, as its paper says"),
    ("LocoTrack-B", 4359.0, "points a second, as its paper says"),
    ("CoTracker3", 1e6 / 209 / 24, "209 µs a frame and point as its paper says, over 24 frames"),
)

Row = Mapping[str, Any]


def write_page(document: Row, page: Path) -> None:
    """Exchange what stands between the marks; a dry run is refused.

    Raises:
        SystemExit: the document is of a dry run, or the page lacks its marks.
    """
    if document["dry"]:
        raise SystemExit("A dry run measured nothing on a GPU: its figures go into no page.")
    write_between(page, _BEGIN, _END, write_tables(document))


def write_tables(document: Row | None) -> str:
    """Markdown; None is where nothing was ever measured. On a dry run every line says so."""
    if document is None:
        return NOTHING
    results = [{"part": name, **row} for name, row in document["parts"].items()]
    pieces = [_machine(document), _summary(results, document)]
    for title, kind, table in (
        ("Parity", "parity", _parity_table),
        ("Marked tests", "tests", _tests_table),
        ("Against PyTorch on the same machine", "torch", _race_table),
        ("torch.compile", "compile", _race_table),
        ("torch.compile under autocast", "compile-autocast", _race_table),
        ("IO binding", "binding", _race_table),
        ("Captured launches", "capture", _race_table),
        ("float16 and TF32", "fp16", _race_table),
        ("bfloat16", "bf16", _race_table),
        ("Throughput", "throughput", partial(_throughput_table, dry=document["dry"])),
        ("TensorRT", "tensorrt", _tensorrt_table),
    ):
        rows = [row for row in results if row["part"].split()[0] == kind]
        measured = [
            row for row in rows if (row["state"] != "absent" and "px" in row) or "rows" in row
        ]
        chosen = rows if kind == "tests" else measured
        if chosen:
            pieces += [f"### {title}", table(chosen)]
    pieces += _bfloat16_limits(results) + _left_out(results)
    text = "\n\n".join(pieces)
    return "\n".join(map(_marked_dry, text.split("\n"))) if document["dry"] else text


def _marked_dry(line: str) -> str:
    if not line:
        return line
    if line.startswith("|---"):
        return f"|---{line}"
    return f"| {DRY_LABEL} {line}" if line.startswith("|") else f"{DRY_LABEL}: {line}"


def _machine(document: Row) -> str:
    has = document["machine"]
    if has["card"] is None:
        return (
            f"No GPU took part. {has['cpu']}; ONNX Runtime {has['onnxruntime']}, PyTorch "
            f"{has['torch']}."
        )
    return (
        f"**{has['card']}** ({has['memory_bytes'] / 2**30:.0f} GiB, compute capability "
        f"{has['capability']}), driver {has['driver'] or 'unknown'}, {has['cpu']}. ONNX Runtime "
        f"{has['onnxruntime']} (built for {has['onnxruntime_built_for'] or 'unknown'}), PyTorch "
        f"{has['torch']} with CUDA {has['torch_cuda']} and cuDNN {has['torch_cudnn']}, TensorRT "
        f"{has['tensorrt'] or 'not installed'}."
    )


def _summary(results: Sequence[Row], document: Row) -> str:
    states = [row["state"] for row in results]
    left = document["planned"] - len(states)
    broken = sum(bool(side["error"]) for row in results for side in row.get("rows", ()))
    said = (
        f"{states.count('measured')} of {document['planned']} parts are measured, "
        f"{states.count('failed')} failed, {states.count('absent')} are not there on this machine."
    )
    if broken:
        said += f" {broken} sides or sizes of measured parts failed; their tables say why."
    return said + (f" {left} were not reached: run the command again." if left else "")


def _table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    columns = list(columns)
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    lines += [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _parity_table(rows: Iterable[Row]) -> str:
    """Against the unrewritten PyTorch model on the CPU in float32."""
    rows = list(rows)
    shapes = ", ".join("x".join(map(str, shape)) for shape in rows[0]["shapes"])
    explained = (
        "Against the unrewritten PyTorch model in float32 on the CPU, at "
        f"{shapes} (batch x frames x points) and on noise. **Excluded**: "
        "[ties](glossary.md#tie) and [unstable points](glossary.md#unstable-point). **Elsewhere**: "
        "nodes that ran on another provider."
    )
    columns = "variant, sampling, target, worst px, worst logit, excluded, elsewhere, result"
    return explained + "\n\n" + _table(columns.split(", "), map(_parity_cells, rows))


def _parity_cells(row: Row) -> list[str]:
    elsewhere = sum(group["count"] for group in row["elsewhere"])
    return [
        row["part"].split()[1],
        row["sampling"],
        row["target"],
        f"{row['px']:.1e}",
        f"{row['logits']:.1e}",
        str(row["apart"]),
        f"{elsewhere} of {sum(row['placement'].values())}",
        "pass" if row["state"] == "measured" else f"**FAIL**: {row['error']}",
    ]


def _tests_table(rows: Iterable[Row]) -> str:
    cells = [
        [row.get("passed", "-"), row.get("failed", "-"), row.get("skipped", "-"), row.get("error")]
        for row in rows
    ]
    return _table(("passed", "failed", "skipped", "remark"), [[*c[:3], c[3] or "-"] for c in cells])


def _race_table(rows: Iterable[Row]) -> str:
    columns = (
        *("variant", "frames x points", "side", "ms (p10-p90)", "times as fast as the first"),
        *("p99 px", "p99 px on sequences", "flips there"),
    )
    return _table(columns, (cells for row in rows for cells in _race_cells(row)))


def _race_cells(result: Row) -> Iterable[list[str]]:
    words = result["part"].split()
    sequences = {row["name"]: row for row in result.get("sequences", ())}
    for row in result["rows"]:
        head = [*words[1:3], row["name"]]
        if row["error"] is not None:
            yield [*head, f"**failed**: {row['error']}", "-", "-", "-", "-"]
            continue
        on = sequences.get(row["name"], {})
        flips = f"{on['flips']} of {on['compared']}" if on.get("flips") is not None else "-"
        pixels = [_pixels(row), _pixels(on)]
        yield [*head, _spread(row["ms"], ".2f"), _spread(row["ratio"], ".2f"), *pixels, flips]


def _spread(found: Row, form: str) -> str:
    return f"{found['median']:{form}} ({found['p10']:{form}}-{found['p90']:{form}})"


def _pixels(row: Row) -> str:
    if row.get("finite") is False:
        return "**not finite**"
    return "-" if row.get("p99_px") is None else f"{row['p99_px']:.1e}"


def _tensorrt_table(rows: Iterable[Row]) -> str:
    return _parity_table(rows) + "\n\n" + _race_table(row for row in rows if "rows" in row)


def _throughput_table(rows: Iterable[Row], *, dry: bool) -> str:
    """Points a second at every size; beside those of a card, what others published."""
    explained = (
        "**Points a second**: points of a call divided by its seconds, from frames in the device's "
        "memory to tracks (features and all refinements included), 256x256 pixels or the variant's "
        "own size, one clip a call, median. The LocoTrack paper's own protocol could not be read "
        "here: that it counts query points of clips of 24 frames is an assumption, and its card is "
        "another one. Compare with PyTorch eager on the same card first."
    )
    cells = [
        [
            *(result["part"].split()[1], row["name"], f"{row['frames']} x {row['points']}"),
            *_rates(row),
        ]
        for result in rows
        for row in result["rows"]
    ]
    if not dry:
        cells += [[name, "published", "-", f"{rate:.0f}", said] for name, rate, said in _PUBLISHED]
    columns = ("variant", "side", "frames x points", "points a second", "µs a frame and point")
    return explained + "\n\n" + _table(columns, cells)


def _rates(row: Row) -> list[str]:
    if row["error"] is not None:
        return [f"**failed**: {row['error']}", "-"]
    return [f"{row['points_per_second']:.0f}", f"{row['us_a_frame_and_point']:.1f}"]


def _bfloat16_limits(results: Iterable[Row]) -> list[str]:
    """What no file can hold: said of the first that was looked at."""
    found = [row for row in results if row.get("onnx")]
    if not found:
        return []
    variant, limits = found[0]["part"].split()[1], found[0]["onnx"]
    standard = ", ".join(
        f"{count} {kind} ({f'from opset {first}' if first else 'at no opset yet'})"
        for kind, count, first in limits["by_standard"]
    )
    kernels = ", ".join(f"{count} {kind}" for kind, count in limits["by_kernel"]) or "none"
    return [
        f"**A bfloat16 file of {variant}** is not possible at opset {limits['opset']}: of "
        f"{limits['float_nodes']} nodes on floats, ONNX's own definitions allow bfloat16 to all "
        f"but {standard or 'none'}. Of the rest, those without such a kernel in the GPU provider's "
        f"table: {kernels}. Exports end at opset 20, so bfloat16 is measured with PyTorch's "
        "autocast alone."
    ]


def _left_out(results: Iterable[Row]) -> list[str]:
    """Parts without a table of their own: what failed, and what is not there."""
    results = list(results)
    lists: tuple[tuple[str, Callable[[Row], bool]], ...] = (
        ("Failed:", lambda row: row["state"] == "failed"),
        ("Not there on this machine (neither passed nor failed):", lambda row: _absent(row)),
    )
    pieces = []
    for title, wanted in lists:
        rows = [f"- {row['part']}: {row['error']}" for row in results if wanted(row)]
        if rows:
            pieces.append("\n".join([title, "", *rows]))
    return pieces


def _absent(row: Row) -> bool:
    return bool(row["state"] == "absent")
