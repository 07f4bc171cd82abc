"""The profile and the weights that an exported file was made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from locoexport.contract.installed_limits import installed_limits
from locoexport.contract.metadata import ArtifactMetadata
from locoexport.contract.profile import (
    AxisSizes,
    ExportProfile,
    demo_weights_path,
    load_profile,
    profile_names,
)
from locoexport.errors import CheckpointError, ModelFileError
from locoexport.machine.reading.tar_archive import container_of, is_named, split_member, with_member
from locoexport.machine.writing.output_files import is_file, sha256_of
from locoexport.models import locotrack
from locoexport.network.loading import Network, load_network
from locoexport.pipeline.weights.sources import find_downloaded
from locoexport.runtime.live.session import LiveSession
from locoexport.runtime.session.opening import Model

__all__ = ["find_origin", "load_weights", "profile_of"]


def load_weights(
    path: Path,
    metadata: ArtifactMetadata,
    profile: ExportProfile,
    checkpoint: str | Path | None,
) -> Network:
    """The network with the very weights that the file's metadata names.

    Raises:
        CheckpointError: they are nowhere to be found, or the ones given are others.
    """
    found = find_origin(path, metadata, checkpoint)
    if found is None:
        return load_network(replace(profile, demo_weights=None), None)
    # Whoever exported it has agreed to what PyTorch computes.
    return load_network(profile, found, as_pytorch=True)


def find_origin(
    path: Path, metadata: ArtifactMetadata, checkpoint: str | Path | None
) -> Path | None:
    """The file of the very weights that the file's metadata names; None where they are seeded.

    Raises:
        CheckpointError: they are nowhere to be found, or the ones given are others.
    """
    origin = metadata.weights
    if origin.seeded:
        if checkpoint is not None:
            raise CheckpointError(
                f"{path} was exported with seeded weights; --checkpoint {checkpoint} is not what "
                "it holds. Leave --checkpoint out, or export with it."
            )
        return None
    assert origin.file_name is not None
    found = Path(checkpoint) if checkpoint is not None else _find(path, origin.file_name, metadata)
    if found is None:
        raise CheckpointError(
            f"The weights of {path} ({origin.file_name}, sha256 {origin.sha256}) are neither "
            f"beside it nor in {Path.cwd()} nor among those downloaded; pass --checkpoint FILE."
        )
    if not is_file(container_of(found)):
        raise CheckpointError(f"There is no checkpoint file {container_of(found)}.")
    digest = sha256_of(container_of(found))
    if digest != origin.sha256:
        raise CheckpointError(
            f"{found} is not what {path} was made from: sha256 {digest}, expected {origin.sha256}."
        )
    return _with_member(found, origin.member, path)


def _with_member(found: Path, member: str | None, path: Path) -> Path:
    """The member of a tar that the file was made from; one that was named has to be that one."""
    file, named = split_member(found)
    if member is None:
        return found
    if named is not None and not is_named(member, named):
        raise CheckpointError(f"{path} was made from {member} of {file}, not from {named}.")
    return with_member(file, member)


def _find(path: Path, file_name: str, metadata: ArtifactMetadata) -> Path | None:
    shipped = demo_weights_path(file_name)
    candidates = [path.parent / file_name, Path.cwd() / file_name]
    if isinstance(shipped, Path):
        candidates.append(shipped)
    for candidate in candidates:
        if is_file(candidate) and sha256_of(candidate) == metadata.weights.sha256:
            return candidate
    return find_downloaded(file_name, str(metadata.weights.sha256))


def _initial_of(metadata: ArtifactMetadata) -> tuple[int, int]:
    initial_hw = metadata.trained.resolution_hw
    assert initial_hw is not None
    return initial_hw


def profile_of(session: Model | LiveSession, tolerance_px: float | None = None) -> ExportProfile:
    """The profile that the file names, at the file's own resolution and axes.

    Raises:
        ModelFileError: it was made from a variant that this version does not know.
    """
    metadata = session.metadata
    axes = AxisSizes(session.fixed_batch, session.fixed_frames, session.fixed_points)
    if metadata.variant not in locotrack.VARIANTS:
        raise ModelFileError(
            f"{session.path} was made from variant {metadata.variant!r}, which this version does "
            f"not know ({', '.join(locotrack.VARIANTS)})."
        )
    # A profile of the user's own: its file need not be at hand to verify what it made.
    shipped = metadata.profile in profile_names()
    profile = load_profile(metadata.profile if shipped else metadata.variant)
    tolerance = installed_limits(metadata).tolerance
    if tolerance_px is not None:
        tolerance = replace(tolerance, tracks_px=tolerance_px, origin="--tolerance-px")
    return replace(
        profile,
        variant=metadata.variant,
        resolution_hw=_initial_of(metadata),
        settings=metadata.trained,
        input_type=session.signature.input_type,
        axes=axes,
        tolerance=tolerance,
    )
