"""The model files of the GPU benchmark: which there are, and how each is made or found."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from gpu_setting import EXPORTING, Setting, digest_sources, list_missing

__all__ = ["FileSpec", "check_models", "export_all", "find_file"]

_MADE_OF = "made-of.json"


@dataclass(frozen=True)
class FileSpec:
    """One file. ``fixed`` is (frames, points) of a file for one size, without control flow."""

    variant: str
    sampling: str = "gather"
    target: str = "cuda"
    precision: str = "fp32"
    fixed: tuple[int, int] | None = None

    @property
    def file_name(self) -> str:
        """It says all fields."""
        size = "" if self.fixed is None else f"-{self.fixed[0]}x{self.fixed[1]}"
        return f"{self.variant}-{self.sampling}-{self.target}-{self.precision}{size}.onnx"


def find_file(spec: FileSpec, setting: Setting) -> Path:
    """The file: from ``--models``, or made before, or made now.

    Raises:
        RuntimeError: it is in no folder, and this machine lacks what makes it.
    """
    for folder in filter(None, (setting.models, setting.work)):
        if (folder / spec.file_name).is_file():
            return folder / spec.file_name
    if missing := list_missing(EXPORTING):
        raise RuntimeError(
            f"{spec.file_name} is not in {setting.models} and cannot be made here: "
            f"{', '.join(EXPORTING[name] for name in missing)} missing"
        )
    setting.work.mkdir(parents=True, exist_ok=True)
    return _make(spec, setting.work)


def _make(spec: FileSpec, folder: Path) -> Path:
    """What ``export`` writes with these options, less the proof: that is the benchmark's own."""
    from locoexport.contract.profile import AxisSizes, load_profile
    from locoexport.lowering.tracker.finishing import to_bytes, with_properties
    from locoexport.machine.writing.output_files import whole_file
    from locoexport.network.loading import load_network
    from locoexport.notices import ignore
    from locoexport.pipeline.assembly.graph import build_graph, lower_precision

    profile = load_profile(spec.variant).with_options(sampling=spec.sampling, target=spec.target)
    if spec.fixed is not None:
        profile = profile.with_options(axes=AxisSizes(1, *spec.fixed), without=("frame-scan",))
    graph = build_graph(profile, load_network(profile, None), simplify=True, notify=ignore)
    if spec.precision != "fp32":
        lowered = profile.with_options(precision=spec.precision)
        graph = lower_precision(graph, lowered, (), ignore)
    path = folder / spec.file_name
    with whole_file(path) as draft:
        properties = graph.metadata.to_properties()
        draft.write_bytes(to_bytes(with_properties(graph.model, properties)))
    return path


def export_all(specs: Iterable[FileSpec], folder: Path, jobs: int) -> int:
    """Make every file that is not there yet, ``jobs`` at a time; returns how many failed."""
    folder.mkdir(parents=True, exist_ok=True)
    check_models(folder, may_be_new=True)
    due = [spec for spec in dict.fromkeys(specs) if not (folder / spec.file_name).is_file()]
    failed = 0
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        tasks = {pool.submit(_make, spec, folder): spec for spec in due}
        for count, task in enumerate(as_completed(tasks), 1):
            name = tasks[task].file_name
            if (error := task.exception()) is not None:
                failed += 1
                name += f" FAILED: {' '.join(str(error).split())}"
            print(f"[{count}/{len(due)}] {name}", file=sys.stderr, flush=True)
    size = sum(path.stat().st_size for path in folder.glob("*.onnx"))
    print(f"{folder}: {len(list(folder.glob('*.onnx')))} files, {size / 1e6:.0f} MB")
    return failed


def check_models(folder: Path, *, may_be_new: bool = False) -> None:
    """Raises SystemExit where the folder's files were made from other sources than these."""
    stamp, sources = folder / _MADE_OF, digest_sources()
    if not stamp.is_file():
        if not may_be_new:
            raise SystemExit(f"{folder} is no folder that --export-to made: no {_MADE_OF} in it")
        stamp.write_text(json.dumps({"sources": sources}) + "\n", encoding="utf-8")
        return
    found = json.loads(stamp.read_text(encoding="utf-8"))["sources"]
    if found != sources:
        raise SystemExit(
            f"The files in {folder} were made from other sources ({found}; these are {sources}). "
            "Make them again with --export-to and an empty folder."
        )
