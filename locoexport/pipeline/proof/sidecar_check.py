"""An exported file against its sidecar: no torch, no onnx, no checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.contract.profile import Tolerance
from locoexport.errors import SidecarError, UsageError
from locoexport.machine.writing.drafts import scratch_folder
from locoexport.notices import Listener, Notice, ignore, noting
from locoexport.parity.pointwise import ParityReport, compare_case, summarise
from locoexport.parity.quantiles import (
    PrecisionGroup,
    PrecisionParity,
    PrecisionTolerance,
    compare_precision,
)
from locoexport.parity.sidecar import Sidecar, SidecarCase, read_sidecar, sidecar_path
from locoexport.pipeline.proof.allowed import allowed_by_sidecar, precision_of
from locoexport.pipeline.proof.precision_claim import check_precision_claim
from locoexport.pipeline.proof.report import VerifyReport
from locoexport.runtime.session.opening import Model, choose_proof_run, open_model
from locoexport.runtime.session.placement import placed_elsewhere
from locoexport.runtime.session.provider_options import computed_precision
from locoexport.runtime.session.single import RawTracks, require_provider
from locoexport.runtime.session.split_files import find_split_files

__all__ = ["verify_with_sidecar"]

_PROVES = (
    "this machine runs the file as PyTorch ran the model where both were exported, if the sidecar "
    "is from somebody you trust; a stranger's proves nothing"
)


def verify_with_sidecar(
    model_path: str | Path,
    sidecar: str | Path | None = None,
    *,
    provider: str | None = None,
    tolerance_px: float | None = None,
    notify: Listener = ignore,
) -> VerifyReport:
    """Compare a file with what PyTorch said when it was exported.

    Args:
        model_path: a file written by ``locoexport export --sidecar``, or any file of a split one.
        sidecar: its .parity.npz; by default the one beside it.
        provider: the execution provider to run the file on, on which there is no fallback; None is
            what ``choose_proof_run`` chooses.
        tolerance_px: overrides the tolerance on tracks, which is this installation's, or the
            sidecar's where that is smaller.
        notify: is told of every step.

    Raises:
        SidecarError: there is no sidecar, it is damaged, or it is of another file, of other weights
            or of another precision.
        ModelFileError: the file cannot be read or is not ours.
        ProviderUnavailableError: the provider cannot be used here.
        UsageError: the tolerance is not a positive number.
    """
    path = Path(model_path)
    if tolerance_px is not None and not 0 < tolerance_px < float("inf"):
        raise UsageError(f"--tolerance-px is {tolerance_px}; expected a positive number.")
    if provider is not None:
        if computed_precision(provider) == "bf16":
            raise UsageError(
                f"{provider} computes in bf16, and a sidecar holds too few points for bf16's "
                "limit. Verify against the weights instead, without --sidecar."
            )
        require_provider(provider)
    split = find_split_files(path)
    warnings = list[str]()
    notify = noting(warnings, notify)
    choice = choose_proof_run(path, provider)
    if choice.warning:
        notify(Notice(choice.warning, warning=True))
    with scratch_folder() as folder:
        session = open_model(
            path, choice.provider, threads=choice.threads, profile_prefix=folder / "profile"
        )
        where = Path(sidecar) if sidecar is not None else _beside(path, split is not None)
        files = {"whole": path} if split is None else split
        opened = session.files_sha256
        check_precision_claim(opened, precision_of(session.metadata))
        stored = read_sidecar(where, {role: opened[file] for role, file in files.items()})
        allowed = allowed_by_sidecar(stored, session.metadata, tolerance_px)
        _check_weights(where, stored, session.metadata)
        pairs = []
        placement: tuple[tuple[str, int], ...] = ()
        for case in stored.cases:
            notify(Notice(f"parity: {case.name}"))
            takes_uint8 = session.signature.input_type == "uint8"
            video: NDArray[Any] = case.frames_rgb if takes_uint8 else case.video
            pairs.append((case, session.run(video, case.query_points_tyx)))
            placement = placement or session.node_placement()
    parity = _judge(session, stored, pairs, placement, allowed)
    return VerifyReport(
        path,
        session.metadata,
        parity,
        f"what PyTorch {stored.torch_version} said on export ({where})",
        _PROVES,
        placed_elsewhere(session.placed_nodes(), choice.provider),
        sidecar=stored.made_by,
        judge="the sidecar's answers",
        warnings=tuple(warnings),
        chosen_by=choice.chosen_by,
    )


def _judge(
    session: Model,
    stored: Sidecar,
    pairs: Sequence[tuple[SidecarCase, RawTracks]],
    placement: tuple[tuple[str, int], ...],
    allowed: Tolerance | PrecisionTolerance,
) -> ParityReport | PrecisionParity:
    """Float32 point by point, a smaller precision by its own limits."""
    if isinstance(allowed, PrecisionTolerance):
        compared = tuple(
            compare_precision(case.name, case.reference, found, session.resolution_hw)
            for case, found in pairs
        )
        groups = (PrecisionGroup("the sidecar's sequences", compared, allowed),)
        return PrecisionParity(groups, allowed, session.provider, placement, stored.exported_p99_px)
    cases = [
        compare_case(case.name, case.reference, found, case.conditioning, allowed)
        for case, found in pairs
        if case.conditioning is not None
    ]
    return summarise(cases, allowed, session.provider, placement)


def _check_weights(path: Path, stored: Sidecar, metadata: ArtifactMetadata) -> None:
    """The oracle that answered had the weights that the file says it has."""
    maker = stored.made_by
    if maker is not None and maker.weights != str(metadata.weights):
        raise SidecarError(
            f"{path} holds answers of other weights ({maker.weights}) than the model says it has "
            f"({metadata.weights}). Use the pair as it was exported."
        )


def _beside(path: Path, split: bool) -> Path:
    """NAME.parity.npz, also where the path is NAME.tracker.onnx."""
    if split:
        name = path.name.removesuffix(".onnx")
        for part in ("encoder", "query", "tracker"):
            name = name.removesuffix(f".{part}")
        path = path.with_name(f"{name}.onnx")
    return sidecar_path(path)
