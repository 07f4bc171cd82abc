"""docs/speed.md, docs/speed.png and the READMEs' tables, from docs/speed.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from marked_pages import write_between
from matplotlib import pyplot as plt
from speed_opponents import (
    AUTOCAST,
    LIMIT_PX,
    fastest_within,
    lap_of,
    opponents_section,
    p99_text,
    with_opponents,
)

from locoexport.benchmarking.report import paired_ratios

__all__ = ["write_pages"]

_BEGIN, _END = "<!-- speed: begin (written by `make bench`) -->", "<!-- speed: end -->"
_MACHINES = {
    "README.md": "{cpu}, {cores} cores; other processes took at most {others} of it meanwhile.",
    "README.zh-CN.md": "{cpu}，{cores} 核；测量期间其他进程至多占用 {others}。",
}
_HEADERS = {
    "README.md": (
        "| variant | frames x points | PyTorch eager | plain export | default export "
        "| times as fast as PyTorch | as the plain export |"
    ),
    "README.zh-CN.md": (
        "| 变体 | 帧数 x 点数 | PyTorch eager | 未改写的导出 | 默认导出 "
        "| 相对 PyTorch 的倍数 | 相对未改写导出的倍数 |"
    ),
}
# Where autocast was measured too; the plain export is then in docs/speed.md alone.
_FAIR_HEADERS = {
    "README.md": (
        "| variant | frames x points | PyTorch eager | default export (float32) "
        "| times as fast as eager | PyTorch bf16 autocast | ours within {limit} px "
        "| times as fast as autocast |"
    ),
    "README.zh-CN.md": (
        "| 变体 | 帧数 x 点数 | PyTorch eager | 默认导出（float32） | 相对 eager 的倍数 "
        "| PyTorch bf16 autocast | 本项目误差 {limit} px 以内 | 相对 autocast 的倍数 |"
    ),
}
_FAIR_NOTES = {
    "README.md": "In brackets: how far the points are from eager's, in pixels of 256x256 on "
    "generated clips. Only b0-tiny's weights are trained.",
    "README.zh-CN.md": "括号内是与 eager 的点距（生成的片段，以 256x256 像素计）。"
    "只有 b0-tiny 的权重经过训练。",
}
_COLOURS = ("#9aa5b1", "#e07b39", "#1f6f8b")


def write_pages(document: dict[str, Any], root: Path) -> None:
    """Write every page that shows the benchmark; text outside the markers stays."""
    write_between(root / "docs" / "speed.md", _BEGIN, _END, _tables(document))
    for readme in _MACHINES:
        write_between(root / readme, _BEGIN, _END, _short_table(document, readme))
    _draw(document, root / "docs" / "speed.png")


def _tables(document: dict[str, Any]) -> str:
    parts = [_machine(document), _latency_table(document)]
    parts += filter(None, [opponents_section(document)])
    parts.append(_parts_table(document))
    if "scaling" in document:
        parts.append(_scaling_table(document["scaling"]))
    return "\n\n".join(parts)


def _machine(document: dict[str, Any]) -> str:
    gemm, cpu = document["gemm_flops"], document["cpu"]
    return (
        f"Machine: {cpu['model']}, {cpu['physical_cores']} cores. {gemm['by']} computes fp32 "
        f"matrix products there at {max(gemm['before'], gemm['after']) / 1e9:.0f} GFLOP/s "
        f"({gemm['before'] / 1e9:.0f} before the benchmark, {gemm['after'] / 1e9:.0f} after it). "
        f"Other processes took {document['busy_before']:.0%} of the machine before the benchmark "
        f"and at most {_others(document):.0%} during it."
    )


def _others(document: dict[str, Any]) -> float:
    """The largest share of the machine that other processes took during a measurement."""
    return max(c["others_share"] for v in document["variants"].values() for c in v["cells"])


def _latency_table(document: dict[str, Any]) -> str:
    rate = max(document["gemm_flops"]["before"], document["gemm_flops"]["after"])
    rows = [
        "| variant | frames x points | eager ms | plain ms | default ms "
        "| eager / default (p10-p90) | plain / default (p10-p90) | work GFLOP "
        "| share of full rate: eager, plain, default | peak MB: eager, plain, default |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for variant, measured in document["variants"].items():
        for cell in measured["cells"]:
            medians = cell["medians"][:3]
            shares = ", ".join(f"{cell['work_flops'] / m / rate:.0%}" for m in medians)
            peaks = ", ".join(
                "?" if p is None else f"{p / 1e6:.0f}" for p in cell["peak_bytes"][:3]
            )
            rows.append(
                f"| {variant} | {cell['frames']} x {cell['points']} | "
                + " | ".join(f"{m * 1e3:.0f}" for m in medians)
                + f" | {_ratio(cell['eager_over_default'])} | {_ratio(cell['plain_over_default'])}"
                f" | {cell['work_flops'] / 1e9:.1f} | {shares} | {peaks} |"
            )
    return "\n".join(rows)


def _short_table(document: dict[str, Any], readme: str) -> str:
    """A row a variant: its largest call, which was measured last."""
    cpu = document["cpu"]
    machine = _MACHINES[readme].format(
        cpu=cpu["model"], cores=cpu["physical_cores"], others=f"{_others(document):.0%}"
    )
    fair = with_opponents(document)
    header = _FAIR_HEADERS[readme].format(limit=LIMIT_PX) if fair else _HEADERS[readme]
    machine += f" {_FAIR_NOTES[readme]}" if fair else ""
    rows = [machine, "", header, "|---" * (header.count("|") - 1) + "|"]
    for variant, measured in document["variants"].items():
        cell = measured["cells"][-1]
        size = f"{cell['frames']} x {cell['points']}"
        columns = _fair_columns(measured, cell) if fair else _plain_columns(cell)
        rows.append(f"| {' | '.join((variant, size, *columns))} |")
    return "\n".join(rows)


def _plain_columns(cell: dict[str, Any]) -> tuple[str, ...]:
    medians = (f"{median * 1e3:.0f} ms" for median in cell["medians"])
    ratios = (cell[f"{name}_over_default"]["median"] for name in ("eager", "plain"))
    return (*medians, *(f"{ratio:.2f}" for ratio in ratios))


def _fair_columns(measured: dict[str, Any], cell: dict[str, Any]) -> tuple[str, ...]:
    """Float32 against eager; the fastest within the limit against autocast, with their errors."""
    eager, _, default = (f"{median * 1e3:.0f} ms" for median in cell["medians"][:3])
    ours = (eager, default, f"{cell['eager_over_default']['median']:.2f}")
    autocast, best = lap_of(cell, AUTOCAST), fastest_within(measured, cell)
    laps = (
        "–" if lap is None else f"{lap.median_s * 1e3:.0f} ms ({p99_text(measured, lap.name)})"
        for lap in (autocast, best)
    )
    ratio = "–"
    if autocast is not None and best is not None:
        ratio = f"{paired_ratios(best.seconds, autocast.seconds).median:.2f}"
    return (*ours, *laps, ratio)


def _parts_table(document: dict[str, Any]) -> str:
    names = sorted(
        {name for v in document["variants"].values() for name in v["parts_seconds"]},
        key=lambda name: (
            -sum(v["parts_seconds"].get(name, 0) for v in document["variants"].values())
        ),
    )
    rows = [
        "The next table shows the milliseconds that each part of the default graph takes at "
        "24 x 64, from a separate, profiled session. In brackets is the share of the full rate "
        "that the part's own products reach in that time; padding and omitted work do not count.",
        "",
        "| part | " + " | ".join(document["variants"]) + " |",
        "|---|" + "---|" * len(document["variants"]),
    ]
    rate = max(document["gemm_flops"]["before"], document["gemm_flops"]["after"])
    for name in names:
        measured = (_part_cell(v, name, rate) for v in document["variants"].values())
        rows.append(f"| {name} | " + " | ".join(measured) + " |")
    return "\n".join(rows)


def _part_cell(variant: dict[str, Any], name: str, rate: float) -> str:
    seconds = variant["parts_seconds"].get(name, 0.0)
    flops = variant.get("parts_flops", {}).get(name, 0)
    share = f" ({flops / seconds / rate:.0%})" if flops and seconds else ""
    return f"{seconds * 1e3:.1f}{share}"


def _scaling_table(scaling: dict[str, Any]) -> str:
    rows = [
        f"The default graph of {scaling['variant']} at other sizes, one call each:",
        "",
        "| frames x points | ms | µs per point and frame | peak MB |",
        "|---|---|---|---|",
    ]
    for row in scaling["rows"]:
        frames, points, seconds = row["frames"], row["points"], row["latency_s"]["median"]
        peak = "?" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.0f}"
        each = seconds / frames / points * 1e6
        rows.append(f"| {frames} x {points} | {seconds * 1e3:.0f} | {each:.0f} | {peak} |")
    return "\n".join(rows)


def _ratio(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['p10']:.2f}-{ratio['p90']:.2f})"


def _draw(document: dict[str, Any], path: Path) -> None:
    variants = document["variants"]
    columns = 2 if "scaling" in document else 1
    figure, panels = plt.subplots(
        1, columns, figsize=(6.5 * columns, 4.8), layout="constrained", squeeze=False
    )
    left, right = panels[0, 0], panels[0, -1]
    labels = [f"{v}\n{c['frames']}x{c['points']}" for v, m in variants.items() for c in m["cells"]]
    cells = [cell for measured in variants.values() for cell in measured["cells"]]
    for index, name in enumerate(("PyTorch eager", "plain export", "default graph")):
        heights = [cell["medians"][index] / cell["medians"][2] for cell in cells]
        places = [place + (index - 1) * 0.27 for place in range(len(cells))]
        left.bar(places, heights, 0.27, label=name, color=_COLOURS[index])
    left.set_xticks(range(len(cells)), labels, fontsize=6.5, rotation=45)
    left.set_ylabel("time, default graph = 1")
    left.set_title("One call, in turn on one machine")
    left.set_ylim(0, 1.25 * max(max(cell["medians"][:3]) / cell["medians"][2] for cell in cells))
    left.legend(frameon=False, ncols=3, loc="upper left")
    if "scaling" in document:
        rows = document["scaling"]["rows"]
        for fixed, key, marker in (("points", "frames", "o-"), ("frames", "points", "s-")):
            value = 64 if fixed == "points" else 24
            line = sorted((r[key], r["latency_s"]["median"]) for r in rows if r[fixed] == value)
            right.plot(*zip(*line, strict=True), marker, label=f"{key}, at {value} {fixed}")
        right.set_xscale("log")
        right.set_yscale("log")
        right.set_xlabel("frames or points")
        right.set_ylabel("seconds a call")
        right.set_title(f"Default graph of {document['scaling']['variant']}: growth")
        right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
