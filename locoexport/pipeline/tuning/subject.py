"""What is tuned: weights that can be exported in any form, or one file alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from locoexport.contract.profile import ExportProfile, load_profile
from locoexport.errors import CheckpointError, ModelFileError, UsageError
from locoexport.machine.installation import installed_version
from locoexport.machine.writing.output_files import is_file, sha256_of
from locoexport.notices import Listener
from locoexport.pipeline.cached_export import cache_key
from locoexport.pipeline.tuning.candidates import Form, usual_form
from locoexport.pipeline.weights.origin import find_origin, profile_of
from locoexport.pipeline.weights.published import find_weights
from locoexport.runtime.session.single import open_session
from locoexport.runtime.session.split_files import find_live_files, find_split_files

__all__ = ["Subject", "find_subject", "key_of"]

_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "openvino")


@dataclass(frozen=True)
class Subject:
    """``given`` is the only file there is, where its weights cannot be found; ``reason`` says why.

    ``as_pytorch``: an export agreed before to what PyTorch computes with weights of JAX.
    """

    profile: ExportProfile
    checkpoint: Path | None = None
    given: Path | None = None
    reason: str = ""
    as_pytorch: bool = False

    @property
    def usual(self) -> Form:
        """The float32 form that all others are measured against."""
        return usual_form(self.profile)

    @property
    def title(self) -> str:
        """What is tuned, in a few words."""
        height, width = self.profile.working_hw
        return f"{self.profile.name}, {height}x{width}, opset {self.profile.opset}"


def find_subject(
    model: ExportProfile | str | Path, checkpoint: str | Path | None, notify: Listener
) -> Subject:
    """The profile and weights to export, of a profile or of an exported file.

    Raises:
        ModelFileError: there is no such file or profile, or the file is no single one of ours.
        CheckpointError: the weights that were named are not there, or not those of the file.
        UsageError: the file's weights cannot be found, and it is in a smaller precision.
    """
    if not isinstance(model, ExportProfile):
        path = Path(model)
        if find_split_files(path) is not None or find_live_files(path) is not None:
            raise ModelFileError(
                f"{path} is of a split or a live export; tune takes a single file. Pass the "
                "profile (--backbone) and the weights (--checkpoint) instead."
            )
        if is_file(path) or path.suffix == ".onnx":
            return _of_file(path, checkpoint)
        model = load_profile(str(model))
    found = None if checkpoint is None else find_weights(checkpoint, model, notify)
    return Subject(replace(model, precision="fp32", quantised_parts=None, weight_bits=None), found)


def _of_file(path: Path, checkpoint: str | Path | None) -> Subject:
    session = open_session(path)
    metadata = session.metadata
    profile = profile_of(session).with_options(
        opset=metadata.opset, target=metadata.target, sampling=metadata.sampling
    )
    try:
        weights = find_origin(path, metadata, checkpoint)
    except CheckpointError as error:
        if checkpoint is not None:
            raise
        if metadata.precision != "fp32":
            raise UsageError(
                f"{path} is in {metadata.precision}, and there is nothing to compare it with: "
                f"{error}"
            ) from error
        return Subject(profile, given=path, reason=str(error))
    if metadata.weights.seeded:
        profile = replace(profile, demo_weights=None)
    return Subject(profile, weights, as_pytorch=weights is not None)


def key_of(subject: Subject, frames: int, points: int, clips: Sequence[Path], machine: str) -> str:
    """Hex of everything that a measurement hangs on; the limits are not among it."""
    if subject.given is None:
        source = cache_key(subject.profile, subject.checkpoint)
    else:
        source = sha256_of(subject.given) + cache_key(replace(subject.profile, demo_weights=None))
    versions = [installed_version(name) for name in _RUNTIMES]
    real = [sha256_of(clip) for clip in clips]
    text = repr((source, frames, points, real, machine, versions))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
