"""An exported file against its sidecar: no torch, no onnx, no checkpoint."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from locoexport.errors import UsageError
from locoexport.parity import compare_case, summarise
from locoexport.pipeline.notices import Listener, Notice, ignore
from locoexport.pipeline.verify_report import VerifyReport
from locoexport.runtime.placement import placed_elsewhere
from locoexport.runtime.session import require_provider
from locoexport.runtime.split import open_model, split_paths
from locoexport.sidecar import read_sidecar, sidecar_path

__all__ = ["verify_with_sidecar"]


def verify_with_sidecar(
    model_path: str | Path,
    sidecar: str | Path | None = None,
    *,
    provider: str = "cpu",
    tolerance_px: float | None = None,
    notify: Listener = ignore,
) -> VerifyReport:
    """Compare a file with what PyTorch said when it was exported.

    Args:
        model_path: a file written by ``locoexport export --sidecar``, or any file of a split one.
        sidecar: its .parity.npz; by default the one beside it.
        provider: the execution provider to run the file on; there is no fallback.
        tolerance_px: overrides the sidecar's tolerance on tracks.
        notify: is told of every step.

    Raises:
        SidecarError: there is no sidecar, it is damaged, or it is of another file.
        ModelFileError: the file cannot be read or is not ours.
        ProviderUnavailableError: the provider cannot be used here.
        UsageError: the tolerance is not a positive number.
    """
    path = Path(model_path)
    if tolerance_px is not None and not 0 < tolerance_px < float("inf"):
        raise UsageError(f"--tolerance-px is {tolerance_px}; expected a positive number.")
    require_provider(provider)
    split = split_paths(path)
    files: dict[str, Path] = {"whole": path}
    if split is not None:
        files = {str(part): file for part, file in split.items()}
    with tempfile.TemporaryDirectory() as folder:
        session = open_model(path, provider, profile_prefix=Path(folder) / "profile")
        where = Path(sidecar) if sidecar is not None else _beside(path, split is not None)
        stored = read_sidecar(where, files)
        tolerance = stored.tolerance
        if tolerance_px is not None:
            tolerance = replace(tolerance, tracks_px=tolerance_px, origin="--tolerance-px")
        cases = []
        placement: tuple[tuple[str, int], ...] = ()
        for case in stored.cases:
            notify(Notice(f"parity: {case.name}"))
            takes_uint8 = session.signature.input_type == "uint8"
            video: NDArray[Any] = case.frames_rgb if takes_uint8 else case.video
            found = session.run(video, case.query_points_tyx)
            placement = placement or session.node_placement()
            cases.append(
                compare_case(case.name, case.reference, found, case.conditioning, tolerance)
            )
    parity = summarise(cases, tolerance, session.provider, placement)
    against = f"what PyTorch {stored.torch_version} said on export ({where})"
    elsewhere = placed_elsewhere(session.placed_nodes(), provider)
    return VerifyReport(path, session.metadata, parity, against, elsewhere)


def _beside(path: Path, split: bool) -> Path:
    """NAME.parity.npz, also where the path is NAME.tracker.onnx."""
    if split:
        name = path.name.removesuffix(".onnx")
        for part in ("encoder", "query", "tracker"):
            name = name.removesuffix(f".{part}")
        path = path.with_name(f"{name}.onnx")
    return sidecar_path(path)
