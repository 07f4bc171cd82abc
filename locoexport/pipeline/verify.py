"""An exported file against the PyTorch model that it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import ExportProfile
from locoexport.errors import MachineError, ModelFileError, UsageError
from locoexport.machine.writing.drafts import scratch_folder
from locoexport.network.loading import Network
from locoexport.notices import Listener, Notice, ignore, noting
from locoexport.parity.pointwise import ParityReport
from locoexport.parity.probes import Probe, probe_queries
from locoexport.parity.quantiles import PrecisionParity
from locoexport.pipeline.live.verification import verify_live
from locoexport.pipeline.proof.allowed import (
    allowed_in_bfloat16,
    allowed_precision,
    precision_of,
)
from locoexport.pipeline.proof.growth import study_growth
from locoexport.pipeline.proof.localisation import check_localisable
from locoexport.pipeline.proof.localisation import localise as find_departure
from locoexport.pipeline.proof.pointwise import (
    EXPORT_SHAPES,
    VERIFY_SHAPES,
    make_probes,
    probe_to_study,
    prove,
)
from locoexport.pipeline.proof.precision_claim import check_precision_claim
from locoexport.pipeline.proof.quantiles import prove_precision
from locoexport.pipeline.proof.report import VerifyReport
from locoexport.pipeline.weights.origin import load_weights, profile_of
from locoexport.runtime.queries.points import grid_queries
from locoexport.runtime.session.opening import Model, choose_proof_run, open_model
from locoexport.runtime.session.placement import placed_elsewhere
from locoexport.runtime.session.provider_options import computed_precision
from locoexport.runtime.session.single import require_provider
from locoexport.runtime.session.split_files import is_live_export
from locoexport.runtime.video.clips import read_clip
from locoexport.runtime.video.frames import to_model_input

__all__ = ["VerifyReport", "verify_model"]

_CLIP_FRAMES = 24
_CLIP_GRID = 5
_ORACLE = "the unrewritten PyTorch model, 5D grid_sample"
_PROVES = "the file computes what PyTorch computes with these weights, on the inputs below"


def verify_model(
    model_path: str | Path,
    *,
    checkpoint: str | Path | None = None,
    provider: str | None = None,
    tolerance_px: float | None = None,
    video: str | Path | None = None,
    localise: bool | None = None,
    notify: Listener = ignore,
) -> VerifyReport:
    """Compare a file in ONNX Runtime with the unrewritten PyTorch model at several shapes.

    A file in a smaller precision is held to its own limits: the 99th percentile of its tracks, and
    the share of visibility flips, on the generated sequences that its cost was measured on. So is a
    float32 file on a provider that computes in bf16 (``BFLOAT16_TOLERANCE``).

    Args:
        model_path: a file written by ``locoexport export``, or any file of a split or a live one.
        checkpoint: the weights it was made from; by default found by name and SHA-256 beside the
            model, in the working directory, or in the package.
        provider: the execution provider to run the file on, on which there is no fallback; None is
            what ``choose_proof_run`` chooses.
        tolerance_px: overrides the profile's tolerance on tracks; of a smaller precision, the limit
            of the 99th percentile, in pixels of 256×256.
        video: a real clip to try as well (its first 24 frames).
        localise: compare what is inside as well, seam by seam, and name the node that departs, or
            of a smaller precision the stage that costs most; None does so only where parity fails.
        notify: is told of every step.

    Raises:
        ModelFileError: the file cannot be read or is not ours, or it is to be localised and does
            not name its seams.
        CheckpointError: the weights cannot be found, or are not those in the file.
        ProviderUnavailableError: the provider cannot be used here.
        UsageError: the tolerance is not a positive number.
    """
    path, warnings = Path(model_path), list[str]()
    notify = noting(warnings, notify)
    if tolerance_px is not None and not (0 < tolerance_px < np.inf):
        raise UsageError(f"--tolerance-px is {tolerance_px}; expected a positive number.")
    if provider is not None:
        require_provider(provider)
    if is_live_export(path):
        report = verify_live(
            path,
            checkpoint=checkpoint,
            provider=provider or "cpu",
            tolerance_px=tolerance_px,
            video=video,
            localise=localise,
            notify=notify,
        )
        _tell_of_ties(report.parity, notify)
        return replace(report, warnings=tuple(warnings))
    choice = choose_proof_run(path, provider, judged_in=("f32", "bf16"))
    if choice.warning:
        notify(Notice(choice.warning, warning=True))
    provider = choice.provider
    with scratch_folder() as folder:
        session = open_model(
            path, provider, threads=choice.threads, profile_prefix=folder / "profile"
        )
        check_precision_claim(session.files_sha256, precision_of(session.metadata))
        profile = profile_of(session, tolerance_px)
        network = load_weights(path, session.metadata, profile, checkpoint)
        if localise:
            check_localisable(path, session.metadata, network)
        parity = _prove(session, network, profile, video, tolerance_px, notify)
    _tell_of_ties(parity, notify)
    elsewhere = placed_elsewhere(session.placed_nodes(), provider)
    report = VerifyReport(path, session.metadata, parity, _ORACLE, _PROVES, elsewhere)
    report = replace(report, chosen_by=choice.chosen_by, warnings=tuple(warnings))
    if localise is False or not (localise or not parity.passed):
        return report
    if isinstance(parity, PrecisionParity) and parity.tolerance.precision == "bf16":
        note = "what bf16 costs inside is not studied; verify on openvino or cpu in float32"
        return replace(report, not_localised=note)
    metadata = session.metadata
    try:
        if isinstance(parity, PrecisionParity):
            growth = study_growth(path, metadata, profile, network, provider, notify)
            return replace(report, growth=growth)
        probe = probe_to_study(_probes(session, profile, video), parity)
        found = find_departure(path, metadata, profile, network, probe, provider, notify)
        return replace(report, localisation=found)
    except (ModelFileError, MachineError) as error:
        if localise:
            raise
        return replace(report, not_localised=str(error))


def _tell_of_ties(parity: ParityReport | PrecisionParity, notify: Listener) -> None:
    if isinstance(parity, ParityReport) and any(case.tied_points for case in parity.cases):
        notify(
            Notice(
                "Some points differ only because two peaks of their heatmap are nearly equal, and "
                "another order of summation picks the other one. They are left out of the verdict.",
                warning=True,
            )
        )


def _prove(
    session: Model,
    network: Network,
    profile: ExportProfile,
    video: str | Path | None,
    tolerance_px: float | None,
    notify: Listener,
) -> ParityReport | PrecisionParity:
    """Float32 point by point, a smaller precision by its own limits."""
    whole = session.metadata.precision == "fp32"
    if whole and computed_precision(session.provider) != "bf16":
        probes = _probes(session, profile, video)
        return prove(session, network.model, probes, profile.tolerance, notify)
    if whole:
        tolerance = allowed_in_bfloat16(tolerance_px)
        notify(
            Notice(
                f"{session.provider} computes parts of this float32 file in bf16, so it is not "
                f"held to float32's tolerance: 99 % of its tracks may be {tolerance.p99_px:g} px "
                "of 256x256 from PyTorch's.",
                warning=True,
            )
        )
    else:
        tolerance = allowed_precision(session.metadata, tolerance_px)
    probes = make_probes(EXPORT_SHAPES, profile.axes, profile.working_hw)
    clips = [] if video is None else [_clip_probe(Path(video), session)]
    return prove_precision(session, network.model, probes, clips, tolerance, notify)


def _probes(session: Model, profile: ExportProfile, video: str | Path | None) -> Iterator[Probe]:
    yield from make_probes(VERIFY_SHAPES, profile.axes, profile.working_hw, profile.input_type)
    if video is not None:
        yield _clip_probe(Path(video), session)


def _clip_probe(path: Path, session: Model) -> Probe:
    """The clip's first frames as the model takes them, a grid of queries and awkward ones."""
    frames_wanted = session.fixed_frames or _CLIP_FRAMES
    clip = read_clip(path, max_frames=frames_wanted)
    video: NDArray[Any] = clip.frames_rgb[None]
    if session.signature.input_type == "float32":
        video = to_model_input(clip.frames_rgb, session.resolution_hw)
    frames, *size_hw = video.shape[1:4]
    if session.fixed_frames is not None and frames != session.fixed_frames:
        raise UsageError(
            f"{path} has {frames} frames; this model is fixed to {session.fixed_frames}."
        )
    grid = grid_queries(_CLIP_GRID, *size_hw)
    awkward = probe_queries(16, frames, (size_hw[0], size_hw[1]), seed=0)
    queries = np.concatenate((grid, awkward))
    if session.fixed_points is not None:
        queries = np.resize(queries, (session.fixed_points, 3))
    batch = session.fixed_batch or 1
    return Probe(
        f"clip {path.name}",
        "clip",
        np.repeat(video, batch, axis=0),
        np.repeat(queries[None], batch, axis=0),
    )
