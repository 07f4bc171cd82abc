"""Each part of the GPU benchmark, measured."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import locoexport  # noqa: F401  it switches ONNX Runtime's telemetry off, which has to come first

# isort: split
import torch
from gpu_files import FileSpec, find_file
from gpu_marked_tests import run_marked
from gpu_plan import Part
from gpu_setting import EXPORTING, Setting, list_missing
from gpu_sides import (
    CapturedGraph,
    TorchSide,
    make_sequences,
    measure_distance,
    one_line,
    open_bound,
    race,
)

from locoexport.benchmarking.contenders import Contender, HostGraph
from locoexport.contract.profile import load_profile
from locoexport.models.locotrack import LocoTrack
from locoexport.network.loading import load_network
from locoexport.network.oracle import run_reference
from locoexport.notices import ignore
from locoexport.parity.probes import Probe, make_probe
from locoexport.pipeline.proof.pointwise import VERIFY_SHAPES, make_probes, prove
from locoexport.runtime.session.placement import count_placed, placed_elsewhere
from locoexport.runtime.session.providers import probe_provider
from locoexport.runtime.session.single import RawTracks, open_session

__all__ = ["AbsentError", "measure_part"]

FRAMES, POINTS = 24, (64, 256, 1024, 4096)
SEQUENCES = (6, 24, 64)
"""How many, frames and points: those that ``export --precision`` measures its cost on."""
DRY_FRAMES, DRY_POINTS = 2, (4, 8)
DRY_SHAPES, DRY_SEQUENCES = ((1, 2, 1), (2, 3, 4)), (1, 3, 4)

Row = dict[str, Any]
Shape = tuple[int, int, int]
"""(batch, frames, points)."""


class AbsentError(Exception):
    """What a part measures is not on this machine: neither passed nor failed."""


def measure_part(part: Part, setting: Setting) -> Row:
    """What was measured, failed or is not there; nothing but an interrupt is raised."""
    try:
        return {"state": "measured", **_MEASURES[part.kind](part, setting)}
    except AbsentError as absent:
        return {"state": "absent", "error": str(absent)}
    # One part that fails, for whatever reason, must not take the others with it.
    except Exception as error:
        return {"state": "failed", "error": one_line(error)}
    finally:
        if setting.device == "cuda":
            torch.cuda.empty_cache()


def _parity(part: Part, setting: Setting) -> Row:
    shapes = DRY_SHAPES if setting.dry else VERIFY_SHAPES
    return _prove_on(part, setting, setting.provider, shapes)


def _prove_on(part: Part, setting: Setting, provider: str, shapes: Sequence[Shape]) -> Row:
    """As ``verify`` does it: against the unrewritten model, on the CPU in float32."""
    assert part.spec is not None
    profile, path = load_profile(part.spec.variant), find_file(part.spec, setting)
    probes = make_probes(shapes, profile.axes, profile.working_hw)
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(path, provider, profile_prefix=Path(folder) / "profile")
        report = prove(session, _load(part.spec.variant), probes, profile.tolerance, ignore)
        nodes = session.placed_nodes()
    placement = dict(count_placed(nodes))
    row: Row = {
        "sampling": part.spec.sampling,
        "target": part.spec.target,
        "px": report.worst_px,
        "logits": report.worst_logit,
        "apart": report.apart_points,
        "shapes": [list(shape) for shape in shapes],
        "placement": placement,
        "elsewhere": [asdict(group) for group in placed_elsewhere(nodes, provider)],
    }
    if not report.passed:
        row |= {"state": "failed", "error": "beyond its tolerance"}
    if not placement.get(provider):
        row |= {"state": "failed", "error": f"no node ran on {provider}"}
    return row


def _tests(part: Part, setting: Setting) -> Row:
    if missing := list_missing(("pytest", "hypothesis", "filelock", *EXPORTING)):
        raise AbsentError(f"the tests need {', '.join(missing)}, missing here")
    found = run_marked("cuda")
    if found["failed"]:
        return {**found, "state": "failed", "error": f"{found['failed']} tests failed"}
    if not found["passed"]:
        return {**found, "state": "absent", "error": f"no test ran: {found['reason']}"}
    return found


def _binding(part: Part, setting: Setting) -> Row:
    path, provider = find_file(_spec(part), setting), setting.provider
    sides: Mapping[str, Callable[[], Contender]] = {
        "bound": lambda: open_bound(path, provider, "bound"),
        "plain run": lambda: HostGraph(open_session(path, provider), "plain run"),
    }
    return _raced(part, setting, sides)


def _capture(part: Part, setting: Setting) -> Row:
    path, provider = find_file(_spec(part), setting), setting.provider
    fixed = find_file(replace(_spec(part), fixed=(part.frames, part.points)), setting)
    sides: dict[str, Callable[[], Contender]] = {
        "bound, any size": lambda: open_bound(path, provider, "any size"),
        "bound, one size": lambda: CapturedGraph(fixed, provider, "one size", capture=False),
    }
    if setting.dry:
        return {**_raced(part, setting, sides), "remark": "nothing is captured without a GPU"}
    sides["captured, one size"] = lambda: CapturedGraph(fixed, provider, "captured", capture=True)
    return _raced(part, setting, sides)


def _torch(part: Part, setting: Setting) -> Row:
    name, half = _half(setting)
    ways = {
        "torch eager": {},
        "torch eager, TF32": {"tf32": True},
        f"torch autocast {name}": {"autocast": half},
    }
    return _against(part, setting, ways)


def _compile(part: Part, setting: Setting) -> Row:
    """Apart from the others: compiling takes minutes, and would take their time."""
    return _against(part, setting, {f"torch.compile{_backend_said(setting)}": _compiled(setting)})


def _compile_half(part: Part, setting: Setting) -> Row:
    name, half = _half(setting)
    label = f"torch.compile{_backend_said(setting)}, autocast {name}"
    return _against(part, setting, {label: {**_compiled(setting), "autocast": half}})


def _half(setting: Setting) -> tuple[str, torch.dtype]:
    """What autocast computes in; on a CPU PyTorch has kernels in bfloat16."""
    return ("bf16", torch.bfloat16) if setting.dry else ("fp16", torch.float16)


def _compiled(setting: Setting) -> dict[str, Any]:
    """A dry run captures the graph and compiles nothing: that takes more than ten minutes."""
    return {"backend": "eager" if setting.dry else "inductor"}


def _backend_said(setting: Setting) -> str:
    return " (captured, not compiled)" if setting.dry else ""


def _against(part: Part, setting: Setting, ways: Mapping[str, dict[str, Any]]) -> Row:
    """This file, bound, and the unrewritten model in PyTorch on the same device in those ways."""
    path, model, device = (
        find_file(_spec(part), setting),
        _load(_spec(part).variant),
        setting.device,
    )
    sides: dict[str, Callable[[], Contender]] = {
        "this file, bound": lambda: open_bound(path, setting.provider, "ours")
    }
    for name, options in ways.items():
        sides[name] = lambda name=name, options=options: TorchSide(model, device, name, **options)
    return _raced(part, setting, sides)


def _fp16(part: Part, setting: Setting) -> Row:
    path = find_file(_spec(part), setting)
    half = find_file(replace(_spec(part), precision="fp16"), setting)
    sides: dict[str, Callable[[], Contender]] = {
        "fp32": lambda: open_bound(path, setting.provider, "fp32"),
        "fp16": lambda: open_bound(half, setting.provider, "fp16"),
    }
    if setting.provider == "cuda":
        sides["fp32 with TF32"] = lambda: open_bound(path, "cuda:use_tf32=1", "tf32")
    return _raced(part, setting, sides) | {"sequences": _on_sequences(part, setting, sides)}


def _bf16(part: Part, setting: Setting) -> Row:
    """What ONNX allows of bfloat16, and what torch's autocast makes of it."""
    model, device = _load(_spec(part).variant), setting.device
    sides: dict[str, Callable[[], Contender]] = {
        "torch eager": lambda: TorchSide(model, device, "eager"),
        "torch autocast bf16": lambda: TorchSide(model, device, "bf16", autocast=torch.bfloat16),
    }
    row = _raced(part, setting, sides) | {"sequences": _on_sequences(part, setting, sides)}
    if list_missing(("onnx",)):
        return row | {"onnx": None}
    from gpu_bfloat16 import bfloat16_support

    return row | {"onnx": asdict(bfloat16_support(find_file(_spec(part), setting)))}


def _throughput(part: Part, setting: Setting) -> Row:
    """Points a second: points of a call over the seconds of a call, frames to tracks."""
    path, model, device = (
        find_file(_spec(part), setting),
        _load(_spec(part).variant),
        setting.device,
    )
    frames = DRY_FRAMES if setting.dry else FRAMES
    sides: dict[str, Callable[[], Contender]] = {
        "this file, bound": lambda: open_bound(path, setting.provider, "ours"),
        "torch eager": lambda: TorchSide(model, device, "eager"),
        "torch eager, TF32": lambda: TorchSide(model, device, "eager, TF32", tf32=True),
    }
    rows = []
    for points in DRY_POINTS if setting.dry else POINTS:
        sized = replace(part, frames=frames, points=points)
        # Many points may not fit into the card's memory: the sizes before count all the same.
        try:
            found = _raced(sized, setting, sides, oracle=False)["rows"]
        except Exception as error:
            found = [{"name": next(iter(sides)), "error": one_line(error)}]
        for row in found:
            row |= {"frames": frames, "points": points}
            if row["error"] is None:
                seconds = row["ms"]["median"] / 1e3
                row["points_per_second"] = points / seconds
                row["us_a_frame_and_point"] = seconds / points / frames * 1e6
        rows += found
    if all(row["error"] for row in rows):
        raise RuntimeError(rows[0]["error"])
    return {"rows": rows}


def _tensorrt(part: Part, setting: Setting) -> Row:
    if setting.dry:
        raise AbsentError("a dry run has the CPU provider alone")
    probe = probe_provider("tensorrt")
    if not probe.works:
        raise AbsentError(probe.missing)
    # An engine is built for the ranges in the file, which has one clip a call.
    shapes = [shape for shape in VERIFY_SHAPES if shape[0] == 1]
    proven = _prove_on(part, setting, "tensorrt", shapes)
    path, usual = find_file(_spec(part), setting), find_file(FileSpec(_spec(part).variant), setting)
    sides: dict[str, Callable[[], Contender]] = {
        "CUDA provider": lambda: open_bound(usual, "cuda", "cuda"),
        "TensorRT": lambda: open_bound(path, "tensorrt", "tensorrt"),
        "TensorRT, fp16": lambda: open_bound(path, "tensorrt:trt_fp16_enable=1", "fp16"),
    }
    return proven | _raced(part, setting, sides)


_MEASURES: Mapping[str, Callable[[Part, Setting], Row]] = {
    "parity": _parity,
    "tests": _tests,
    "binding": _binding,
    "capture": _capture,
    "torch": _torch,
    "compile": _compile,
    "compile-autocast": _compile_half,
    "fp16": _fp16,
    "bf16": _bf16,
    "throughput": _throughput,
    "tensorrt": _tensorrt,
}


def _spec(part: Part) -> FileSpec:
    assert part.spec is not None
    return part.spec


def _load(variant: str) -> LocoTrack:
    """The unrewritten model with the profile's own weights, else seeded ones; on the CPU."""
    return load_network(load_profile(variant), None).model


def _raced(
    part: Part,
    setting: Setting,
    sides: Mapping[str, Callable[[], Contender]],
    *,
    oracle: bool = True,
) -> Row:
    """The contenders at the part's size; without ``oracle`` they are compared with the first."""
    model = _load(_spec(part).variant)
    probe = make_probe(
        "textured",
        batch=1,
        frames=part.frames,
        points=part.points,
        size_hw=model.config.working_hw,
        seed=0,
    )
    expected: Any = None
    if oracle:
        expected = run_reference(model, probe.video, probe.query_points_tyx).outputs
    return {"rows": race(sides, (probe, expected), rounds=2 if setting.dry else None)}


def _on_sequences(
    part: Part, setting: Setting, sides: Mapping[str, Callable[[], Contender]]
) -> list[Row]:
    """How far each side is from the oracle on sequences whose motion is known."""
    count, frames, points = DRY_SEQUENCES if setting.dry else SEQUENCES
    answers = list(make_sequences(_load(_spec(part).variant), count, frames, points))
    return [{"name": name, **_answer(opener, answers)} for name, opener in sides.items()]


def _answer(opener: Callable[[], Contender], answers: Sequence[tuple[Probe, RawTracks]]) -> Row:
    pairs = []
    try:
        side = opener()
        for probe, expected in answers:
            side.prepare(probe.video, probe.query_points_tyx)
            side.run()
            pairs.append((side.outputs(), expected))
    except Exception as error:
        return {"error": one_line(error)}
    return {"error": None, **measure_distance(pairs, side.resolution_hw)}
