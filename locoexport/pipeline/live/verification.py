"""A live export against the PyTorch model that it was made from."""

from __future__ import annotations

from pathlib import Path

from locoexport.errors import UsageError
from locoexport.machine.writing.drafts import scratch_folder
from locoexport.notices import Listener
from locoexport.pipeline.live.proof import LIVE_SHAPES, prove_live
from locoexport.pipeline.proof.pointwise import make_probes
from locoexport.pipeline.proof.report import VerifyReport
from locoexport.pipeline.weights.origin import load_weights, profile_of
from locoexport.runtime.live.session import open_live
from locoexport.runtime.session.placement import placed_elsewhere
from locoexport.runtime.session.provider_options import computed_precision

__all__ = ["verify_live"]

_ORACLE = "the same loop over the unrewritten PyTorch model, frame by frame"
_PROVES = "the files answer what PyTorch answers with these weights, on the inputs below"


def verify_live(
    path: Path,
    *,
    checkpoint: str | Path | None,
    provider: str,
    tolerance_px: float | None,
    video: str | Path | None,
    localise: bool | None,
    notify: Listener,
) -> VerifyReport:
    """``verify_model`` for the files of a live export; they are compared as a whole.

    Raises:
        UsageError: a clip was given, or the difference is to be localised.
    """
    if video is not None or localise:
        option = "--localise" if localise else "--video"
        raise UsageError(f"{path} is a live export, which {option} cannot go with; leave it out.")
    if computed_precision(provider) == "bf16":
        raise UsageError(f"{path} is a live export, which is judged in float32, not on {provider}.")
    with scratch_folder() as folder:
        session = open_live(path, provider, profile_prefix=folder / "profile")
        profile = profile_of(session, tolerance_px)
        network = load_weights(path, session.metadata, profile, checkpoint)
        probes = make_probes(LIVE_SHAPES, profile.axes, profile.working_hw)
        parity = prove_live(session, network.model, probes, profile.tolerance, notify)
        elsewhere = placed_elsewhere(session.placed_nodes(), provider)
    return VerifyReport(session.path, session.metadata, parity, _ORACLE, _PROVES, elsewhere)
