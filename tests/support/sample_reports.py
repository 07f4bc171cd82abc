"""A realistic report for every renderer: large numbers, long paths, Chinese names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from bench_reports import make_report as bench_report
from rich.console import RenderableType
from synthetic_tracker import synthetic_metadata

from locoexport.batch.jobs import ClipOutcome
from locoexport.contract.metadata import ExportArtifact, WeightsOrigin
from locoexport.contract.profile import Tolerance, load_profile, profile_names
from locoexport.contract.scopes import Part
from locoexport.contract.seams import Seam
from locoexport.evaluation.precision_cost import PrecisionReport
from locoexport.evaluation.scores import Difference, Scores, VideoResult
from locoexport.inspection.costs import Flops, PeakMemory
from locoexport.inspection.facts import Costs, ModelFacts, Parameters, Port
from locoexport.inspection.forecast import Forecast, NodeGroup
from locoexport.inspection.lint import Finding
from locoexport.lowering.proof.tolerance import EXACT, ProofTolerance
from locoexport.lowering.proof.trials import CutOutProof
from locoexport.lowering.proof.whole.whole_model import WholeModelProof
from locoexport.machine.hardware import Cpu, Memory
from locoexport.machine.installation import CacheFolder, Package
from locoexport.parity import divergence, error_growth
from locoexport.parity.pointwise import CaseParity, OutputParity, ParityReport
from locoexport.parity.quantiles import (
    PrecisionCase,
    PrecisionGroup,
    PrecisionParity,
    PrecisionTolerance,
)
from locoexport.pipeline.convert import ConvertReport
from locoexport.pipeline.diagnosis.outlook import ModelOutlook
from locoexport.pipeline.diagnosis.report import (
    DoctorReport,
    Installation,
    Problem,
    ProviderState,
)
from locoexport.pipeline.evaluate import EvalReport
from locoexport.pipeline.export import ExportReport
from locoexport.pipeline.inspect import InspectReport
from locoexport.pipeline.live.stream import LiveReport
from locoexport.pipeline.package import PackageReport
from locoexport.pipeline.proof.report import VerifyReport
from locoexport.pipeline.rewriting.report import NodeRewrite, RewriteReport
from locoexport.pipeline.tracking.folder import ClipResult, FolderReport
from locoexport.pipeline.tracking.many import ManyReport
from locoexport.pipeline.tracking.objects import ObjectOutputs, ObjectReport
from locoexport.pipeline.tracking.points import TrackReport
from locoexport.rendering import bench, doctor, evaluation, export, inspection
from locoexport.rendering import package as package_rendering
from locoexport.rendering import profiles as profiles_rendering
from locoexport.rendering import rewrite as rewrite_rendering
from locoexport.rendering import verify as verify_rendering
from locoexport.rendering.tracking import convert, live, objects, track, track_many
from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.formats import FORMATS
from locoexport.runtime.objects.tracked import ObjectTracks, TrackedObject
from locoexport.runtime.session.placement import Elsewhere, Placement
from locoexport.runtime.tracking.window_effect import WindowingEffect
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["Sample", "sample_reports"]

FOLDER = Path("/home/王小明/录像/二〇二六年的比赛/an-archive-of-many-clips/第三场")
CLIP = FOLDER / "carphone_pristine_3840x2160_120fps_复制.mp4"
MODEL = Path("/srv/models/locotrack/exports/2026-11-29/b5-384x512-opset17-fp32-final.onnx")
SHA256 = "f5d3b06cc1d24cafd986ee7d8f8643dbe65b4e388fabcf3647a3e35e822f1941"
METADATA = replace(
    synthetic_metadata((384, 512)),
    rewrites=("batchnorm-folding", "volumetric-gather", "correlation-products") * 3,
    weights=WeightsOrigin("locotrack-b5-retrained-on-手持-films.ckpt", SHA256),
)
PLACEMENT = (("cuda", 12_345), ("cpu", 2_657))
LEFT = (Elsewhere("refinement 3: correlation with first layer", "GatherElements", "cpu", 1_234),)


@dataclass(frozen=True)
class Sample:
    """What a command found, and numbers of it that have to be on the page."""

    render: Callable[[], RenderableType]
    numbers: tuple[str, ...]


def _parity() -> ParityReport:
    def case(name: str, shape: tuple[int, int, int], unstable: int = 0) -> CaseParity:
        def output(name: str, unit: str, scale: float) -> OutputParity:
            return OutputParity(
                *(name, unit, 2.914321e-3 * scale, 8.391234e-5 * scale, (0, 123_456, 9_876)),
                *(12_345.6789, 12_345.6818, 0, 4e-3),
                p50=1.2345e-5 * scale,
            )

        outputs = (
            output("tracks", "px", 1.0),
            output("occlusion", "logit", 0.1),
            output("expected_dist", "logit", 0.2),
        )
        errors = np.linspace(0, 2.914321e-3, 1000, dtype=np.float32)
        return CaseParity(name, *shape, outputs, 17, 0, unstable, 0.2479, (), errors)

    cases = (
        case("textured 2x3x4", (2, 3, 4)),
        case("textured 1x1024x12345", (1, 1024, 12_345), unstable=1_312),
        case(f"clip {CLIP.name}", (1, 250, 4096)),
    )
    return ParityReport(cases, Tolerance(4e-3, 4e-3, "measured"), "cuda", PLACEMENT)


def _seam(iteration: int) -> Seam:
    return Seam(
        f"/refinement_{iteration}/seam/correlation_hires",
        *("refinement", "correlation and cmdtop", "features", ("batch", "point", "frame")),
        *(2, iteration, "hires"),
    )


def _localisation(*, departs: bool) -> divergence.Localisation:
    difference = divergence.Difference(2.8e-3, (0, 12_345, 23), 1234.56, 1234.57)
    readings = tuple(
        divergence.SeamReading(_seam(i), 1.5 if departs and i == 2 else 0.47, difference, 6e-3)
        for i in range(4)
    )
    node = divergence.NodeFault(
        "/refinement_2/torch_pips_mixer/transformer/layers.1/dense/dense.1/MatMul",
        *("MatMul", "/refinement_2/mixer/MatMul_output_0", "transformer", difference),
        ("weight differs in 12345 of 1234567 numbers, first at (0, 1, 2)",),
    )
    return divergence.Localisation(
        "textured 1x8x20", readings, ("/a/seam/b",), node if departs else None, 72, "a note"
    )


def _precision_parity() -> PrecisionParity:
    limit = PrecisionTolerance("fp16", 0.25, 0.0154, "0.25 px as the profile says; flips: 0.54%")

    def group(name: str, *, held: bool = True) -> PrecisionGroup:
        pixels = np.linspace(0, 0.234567, 1000)
        case = PrecisionCase(name, 1, 24, 1024, pixels, (0.012345,), 12, 0, 24_576)
        return PrecisionGroup(name, (case,), limit, held)

    groups = (group("generated sequences"), group("other shapes", held=False), group(CLIP.name))
    return PrecisionParity(groups, limit, "cuda", PLACEMENT, 0.0731)


def _growth() -> error_growth.ErrorGrowth:
    error = error_growth.SeamError(_seam(1), 0.012345, 0.234567)
    stages = tuple(
        error_growth.StageError(f"refinement {i}: transformer", 0.0012, 0.0123, error)
        for i in range(4)
    )
    return error_growth.ErrorGrowth(
        "a generated sequence of 24 frames", "fp16", (error,), stages, ("/a/seam/b",), None, 72
    )


def _verify(parity: Any, **found: Any) -> VerifyReport:
    return VerifyReport(
        *(MODEL, METADATA, parity, "the unrewritten PyTorch model, 5D grid_sample"),
        "the file computes what PyTorch computes with these weights, on the inputs below",
        elsewhere=LEFT,
        **found,
    )


def _precision() -> PrecisionReport:
    return PrecisionReport(
        *("fp16", Difference(0.0123, 0.0731, 1.2345, 123, 9216), 69.7, -0.12, 77.6, 0.05),
        *("24 generated sequences of 24 frames", "16 clips of 手持", 38_800_000, 19_400_000),
        *(1.83, 1234.0, "cuda", 0.25, "b0-tiny with its trained weights"),
    )


def _export() -> ExportReport:
    artifact = ExportArtifact(MODEL, 38_812_345, METADATA)
    return ExportReport(
        (artifact,), 5_130, 2_723, None, _parity(), 1234.5, MODEL.with_suffix(".npz"), _precision()
    )


def _tracks(points: int, frames: int) -> Tracks:
    visible = np.ones((points, frames), bool)
    return Tracks(
        np.zeros((points, frames, 2), np.float32),
        *(visible, visible.astype(np.float32), np.zeros((points, 3), np.float32), 29.97),
    )


def _track() -> TrackReport:
    return TrackReport(
        *(CLIP, MODEL, _tracks(1_024, 250), (2160, 3840), CLIP.with_suffix(".gif")),
        *(CLIP.with_suffix(".npz"), 123.45, 100.12, 4.86),
        (("onnxruntime", 100.12), ("drawing", 21.34), ("waiting for drawing", 10.93)),
        WindowingEffect(0.01, 0.09, 12.34, 0.0012, 25_600, 0.97, 0.98),
        (17, 18, 19),
        Fraction(128, 117),
    )


def _objects() -> ObjectReport:
    frames, points = 25, 64
    found = tuple(
        TrackedObject(
            number,
            np.zeros((frames, 4), np.float32),
            np.repeat(np.uint8([1, 2, 0]), [3, 12, 10]),
            np.ones(frames, np.float32),
            (np.zeros((0, 2), np.float32),) * frames,
        )
        for number in (0, 12_345)
    )
    ids = np.repeat(np.int64([0, 12_345]), points // 2)
    return ObjectReport(
        *(CLIP, MODEL, ObjectTracks(_tracks(points, frames), ids, found), (2160, 3840)),
        ObjectOutputs(CLIP.with_suffix(".gif"), CLIP.with_suffix(".npz"), FOLDER / "boxes.csv"),
        *(12.34, 56.78, 69.12),
    )


def _folder() -> FolderReport:
    results = (
        ClipResult(CLIP, "done", "2 objects, 1024 points, 250 frames"),
        ClipResult(FOLDER / "坏.mp4", "failed", "it is cut off after 12345678 of 23456789 bytes"),
    )
    return FolderReport(FOLDER, FOLDER / "out", results)


def _many() -> ManyReport:
    outcomes = (
        ClipOutcome(CLIP, "tracked", "", "a", 1024, 250, 12.3),
        ClipOutcome(FOLDER / "坏.mp4", "failed", "it is cut off after 12345678 of 23456789 bytes"),
        ClipOutcome(FOLDER / "b.mp4", "tracked", "", "b", 1024, 123_456, 1.0, skipped=True),
    )
    return ManyReport(FOLDER / "many", outcomes, "local", 16, 4, 3, 12_345.6)


def _live() -> LiveReport:
    return LiveReport(
        *("rtsp://camera.example:8554/一号门/main-stream", MODEL, (2160, 3840), 12_345, 12_300),
        *(1_024, 48, 3, 987.6, 27.123, 41.987, CLIP, "answers.jsonl"),
        interrupted=True,
    )


def _eval(dataset: str) -> EvalReport:
    scores = Scores(
        *(0.697, 0.776, 0.835, (0.2, 0.374, 0.585, 0.711, 0.752)),
        *((0.308, 0.507, 0.712, 0.826, 0.876), 1.94),
    )
    apart = Difference(8.3e-6, 8.1e-2, 0.46, 12, 1_234_567)
    video = VideoResult(CLIP.stem, 250, 1024, (scores, scores), (1.0, 2.0), (apart,))
    return EvalReport(
        *(MODEL, METADATA, dataset, "strided", False, "cuda", ("onnx", "torch"), None, (video,)),
        *(7, ("goldfish", "金鱼"), 12_345.6),
    )


def _forecasts() -> tuple[Forecast, ...]:
    uncovered = tuple(
        NodeGroup("ConstantOfShape", f"refinement {i}: sampling", 1_000 + i, "no kernel")
        for i in range(4)
    )
    where = ("https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md",)
    note = "int64 needs the option ep.webgpuexecutionprovider.enableInt64"
    return (
        Forecast("cuda", 12_723, (), (), "", (), (), where[0], "1.31.1", "2026-11-24"),
        Forecast(
            *("webgpu", 12_702, uncovered, uncovered[:1], "runs on the CPU", (note,), where),
            *(where[0], "0.4.0", "2026-11-24"),
        ),
    )


def _inspect() -> InspectReport:
    parts = {Part("correlation with first layer"): 12_400_000_000, Part("backbone"): 69_000_000}
    costs = Costs(
        {"batch": 1, "frames": 1_024, "points": 12_345},
        ("height",),
        Flops(12_469_000_000, parts, 364, (), {"Einsum": 12}),
        PeakMemory(1_591_000_000, "/cost_volume/Concat_7", 3),
        12_723,
        ("/a/b",),
    )
    ports = (Port("video_input", "float32", ("batch", "frames", 384, 512, 3)),)
    finding = Finding(
        *("int64-indices", "warning", "TensorRT before 10", "int64 indices at run time"),
        "https://github.com/onnx/onnx-tensorrt/blob/main/docs/operators-and-their-limits.md",
        tuple(f"/refinement_0/torch_pips_mixer/transformer/layers.{i}/Gather" for i in range(17)),
    )
    parameters = Parameters(12_412_713, 1_000_000, 57_000_000, dict.fromkeys(parts, 6_206_356))
    facts = ModelFacts(
        *(8, {"ai.onnx": 17, "com.microsoft": 1}, "locoexport 0.1.0", ports, ports),
        *(("batch", "frames"), {"Reshape": 4_402, "ConstantOfShape": 1_515}, 2),
        {"locoexport.parity": '{"tracks_px": 0.0031, "logits": 0.00068}', "names": "一" * 300},
        *((f"{MODEL.name}.data",), parameters, costs, (finding,)),
    )
    return InspectReport(MODEL, 38_812_345, facts, _forecasts())


def _doctor() -> DoctorReport:
    found = Installation(
        (Package("onnxruntime-gpu", "1.31.1", ""), Package("ray", None, "batch")),
        {},
        (
            ProviderState("cpu", True, True, "", ""),
            ProviderState(
                *("tensorrt", True, False, "the library libcublas.so.13 is missing"),
                "pip install 'onnxruntime-gpu[cuda,cudnn]' 'tensorrt-cu13<11'",
            ),
        ),
        *("CUDA 13.0", "580.65.06", Cpu("Intel(R) Xeon(R)", "x86_64", 64, 128, 12, ("AVX2",))),
        Memory(1_081_000_000_000, 523_600_000_000, 64_000_000_000),
        CacheFolder(FOLDER / "cache", True, 12_219_200_000, 23_700_000_000),
    )
    problem = Problem("warning", "ONNX Runtime lists cuda but does not load it", "pip install x==1")
    ran = (Placement("cuda", PLACEMENT, LEFT), Placement("dml", (), (), "no adapter 0x887A0004"))
    outlook = ModelOutlook(MODEL, ran, _forecasts(), "No forecast of opset 23.")
    return DoctorReport("0.1.0", "3.11.7", "Linux 6.18.44", found, (problem,), outlook)


def _rewrite() -> RewriteReport:
    close = CutOutProof(2.4e-7, ProofTolerance(2e-5, "measured"), (), 12_345_678, "ONNX Runtime")
    same = CutOutProof(0.0, EXACT, (), 5_000_000, "ONNX Runtime")
    gelus = [
        NodeRewrite(
            f"/refinement_{i}/torch_pips_mixer/transformer/layers.{i}/dense/dense.1/Gelu",
            *("newer-operators", "Gelu version 20, approximate=none", "Div, Erf, Add, Mul", 7),
            replace(close, worst_error=close.worst_error * (1 + i / 1000)),
        )
        for i in range(300)
    ]
    others = [
        NodeRewrite("1402× Reshape", "opset", "version 19", "version 14", 0, same),
        NodeRewrite("/a/Resize", "opset", "Resize", "Resize, 3", 0, None, "rank 12345 is unknown"),
    ]
    return RewriteReport(
        *(onnx.ModelProto(), ("newer-operators", "opset"), "gather", (*gelus, *others), ("f",)),
        *(20, 17, 12_674, 14_758, 1234.5, MODEL, 6_541_780, ""),
        WholeModelProof(
            sizes=("batch=2, frames=5, points_of_the_queries=6", "batch=3, frames=7, points=8"),
            worst_difference=3.7e-6,
            allowed=2.4e-4,
            values=12_345_678,
            origin="measured",
            note="beside the original without the shapes that it states of its values",
        ),
    )


def _package(folder: Path) -> PackageReport:
    files = tuple(
        folder / name for name in ("模型/1/model.onnx", "模型/config.pbtxt", "README-m.md")
    )
    for path, size_bytes in zip(files, (6_541_780, 988, 2_234), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0" * size_bytes)
    start = ("docker run --rm -p 8000:8000 -p 8001:8001 \\", "    tritonserver:24.12-py3")
    return PackageReport(folder, MODEL, "locotrack_b5", ("locotrack_b5",), files, True, start=start)


def _convert() -> ConvertReport:
    known = ClipFacts(3840, 2160, 29.97)
    file = CLIP.with_suffix(".npz")
    return ConvertReport(file, CLIP.with_suffix(".nk"), FORMATS[0], 1_024, 12_345, 0.97, known, ())


def _bench() -> RenderableType:
    report = bench_report()
    cells = tuple(replace(cell, frames=cell.frames * 100, points=12_345) for cell in report.cells)
    doubted = ("Other processes took 80% of this machine during the runs.",)
    return bench.bench_text(
        replace(report, model=MODEL, title=f"b5 ({MODEL.name})", cells=cells, warnings=doubted)
    )


def _failed_export() -> RenderableType:
    return export.failed_export_text(_parity(), _localisation(departs=True), "")


def sample_reports(folder: Path) -> dict[str, Sample]:
    """By command; ``folder`` is for files that one of them measures."""
    parity = ("0.000012", "0.000084", "0.002914", "1,312")
    details = ("123456,", "12345.6789", "12345.6818", "1.23e-05", "2.91e-04")
    profiles = list(map(load_profile, profile_names()))
    verify = verify_rendering.verify_text
    agreeing = _verify(_parity(), localisation=_localisation(departs=False))
    departing = _verify(_parity(), localisation=_localisation(departs=True))
    precise = _verify(_precision_parity(), growth=_growth())
    pages: dict[str, tuple[Callable[[], RenderableType], tuple[str, ...]]] = {
        "verify": (partial(verify, agreeing), parity),
        "verify -v": (partial(verify, agreeing, verbose=True), details),
        "verify, departs": (
            partial(verify, departing),
            ("1234.56,", "12345", "1234567", "6.0e-03"),
        ),
        "verify, fp16": (partial(verify, precise), ("0.234567", "0.073100", "0.05%", "1.230%")),
        "verify -v, fp16": (partial(verify, precise, verbose=True), ("0.012345", "24576")),
        "export": (partial(export.export_text, _export()), ("5130", "2723", "38.8", "0.0731,")),
        "export, failed": (_failed_export, parity),
        "track": (partial(track.track_text, _track(), verbose=True), ("1024,", "123.5", "12.34")),
        "objects": (partial(objects.objects_text, _objects()), ("12345", "32")),
        "folder": (partial(objects.folder_text, _folder()), ("12345678", "23456789")),
        "track-many": (partial(track_many.many_text, _many()), ("12345.6", "23456789")),
        "live": (partial(live.live_text, _live()), ("12300", "12345", "27.1", "42.0")),
        "convert": (partial(convert.convert_text, _convert()), ("1024", "12345", "29.97")),
        "bench": (_bench, ("100.0", "250.0", "5,120", "0.000001", "12345")),
        "eval": (partial(evaluation.eval_text, _eval("davis")), ("69.7", "87.6", "1,234,567")),
        "eval, two": (
            partial(evaluation.evals_text, [_eval("davis"), _eval("kinetics")]),
            ("69.7", "87.6", "1,234,567"),
        ),
        "inspect": (
            partial(inspection.inspect_text, _inspect()),
            ("12,412,713", "12702", "0.0031,"),
        ),
        "doctor": (
            partial(doctor.doctor_text, _doctor()),
            ("1081.0", "12219.2", "12345", "580.65.06"),
        ),
        "rewrite": (
            partial(rewrite_rendering.rewrite_text, _rewrite()),
            ("300×", "+2100", "3.1e-07", "1402×", "3.7e-06", "2.4e-04", "12,345,678"),
        ),
        "rewrite -v": (
            partial(rewrite_rendering.rewrite_text, _rewrite(), verbose=True),
            ("2.4e-07", "3.1e-07", "2e-05"),
        ),
        "package": (
            lambda: package_rendering.package_text(_package(folder)),
            ("6.5", "988", "2.2", "8001:8001"),
        ),
        "profiles": (
            partial(profiles_rendering.profiles_text, profiles, verbose=True),
            ("12.44", "70.5", "766", "2407.15420,"),
        ),
    }
    return {name: Sample(render, numbers) for name, (render, numbers) in pages.items()}
