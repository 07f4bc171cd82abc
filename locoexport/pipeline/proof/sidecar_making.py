"""The sidecar of an export: inputs of a few hundred kilobytes, and the oracle's answers to them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from locoexport.contract.interface import FileRole
from locoexport.contract.profile import SCORED_HW, ExportProfile
from locoexport.evaluation.metrics import sample_queries
from locoexport.machine.writing.output_files import sha256_of
from locoexport.network.loading import Network
from locoexport.network.oracle import measure_noise, run_reference
from locoexport.notices import Listener, Notice
from locoexport.parity.probes import make_probe
from locoexport.parity.quantiles import PrecisionGroup, compare_precision, precision_tolerance
from locoexport.parity.sidecar import Sidecar, SidecarCase, SidecarMaker, video_of_blocks
from locoexport.pipeline.assembly.cost import cost_sequences
from locoexport.runtime.session.opening import open_model
from locoexport.runtime.tracks.tapvid import TapVidClip
from locoexport.runtime.video.frames import scale_queries_to_model, to_model_input
from locoexport.version import __version__

__all__ = ["make_precision_sidecar", "make_sidecar"]

_SHAPES = ((2, 3, 4), (1, 8, 20))
"""(batch, frames, points): several batch entries, then more frames and points."""
_SEQUENCES = 4
"""Of a smaller precision: 24 frames of 256x256 in blocks of 2 take 0.8 MB each, compressed."""
_VIDEO_BYTES = 1_500_000
"""Of one case, uncompressed: two cases and their outputs stay below the limit of a sidecar."""


def make_sidecar(
    files: Mapping[FileRole, Path], profile: ExportProfile, network: Network, notify: Listener
) -> Sidecar:
    """Run the unrewritten model on inputs that fit the file's axes and keep all that it says.

    Args:
        files: the finished files by role; the sidecar is bound to their SHA-256.
        profile: what they were exported with.
        network: the unrewritten model.
        notify: is told of every case.
    """
    cases = []
    for seed, (batch, frames, points) in enumerate(_SHAPES):
        axes = profile.axes
        shape = (axes.batch or batch, axes.frames or frames, axes.points or points)
        notify(Notice(f"sidecar: {'x'.join(map(str, shape))}"))
        cases.append(_case(shape, profile, network, seed))
    return Sidecar(
        {role: sha256_of(file) for role, file in files.items()},
        profile.tolerance,
        torch.__version__,
        tuple(cases),
        made_by=_maker(profile, network),
    )


def make_precision_sidecar(
    file: Path, profile: ExportProfile, network: Network, notify: Listener
) -> tuple[Sidecar, PrecisionGroup]:
    """The sidecar of a file in a smaller precision, and how the file keeps its limits on it.

    The inputs are generated sequences of those that the cost is measured on, coarser: a p99 needs
    many points that are really visible. Flips may be what they are now, and a few more.
    """
    session = open_model(file, "cpu")
    cases, compared = [], []
    what = "sidecar: generated sequences"
    for index, clip in enumerate(cost_sequences(profile.axes.frames, what, notify, _SEQUENCES)):
        cases.append(_sequence_case(f"sequence {index}", clip, profile, network))
        found = session.run(cases[-1].video, cases[-1].query_points_tyx)
        compared.append(
            compare_precision(cases[-1].name, cases[-1].reference, found, profile.working_hw)
        )
    limits = profile.precision_limits
    flip_share = sum(case.flips for case in compared) / sum(case.compared for case in compared)
    tolerance = precision_tolerance(
        profile.precision, limits.of(profile.precision), limits.origin, flip_share
    )
    group = PrecisionGroup("the sidecar's sequences", tuple(compared), tolerance)
    hashes = {"whole": sha256_of(file)}
    sidecar = Sidecar(
        hashes,
        tolerance,
        torch.__version__,
        tuple(cases),
        group.p99_px,
        _maker(profile, network),
    )
    return sidecar, group


def _maker(profile: ExportProfile, network: Network) -> SidecarMaker:
    values = repr(astuple(profile)).encode()
    digest = hashlib.sha256(values).hexdigest()
    return SidecarMaker(__version__, profile.name, digest, str(network.weights))


def _sequence_case(
    name: str, clip: TapVidClip, profile: ExportProfile, network: Network
) -> SidecarCase:
    truth = clip.points * np.array(SCORED_HW[::-1], np.float64)
    asked = sample_queries(clip.occluded, truth, "first")["query_points"].astype(np.float32)
    queries = scale_queries_to_model(asked, SCORED_HW, profile.working_hw)
    if profile.axes.points is not None:
        queries = np.resize(queries, (1, profile.axes.points, 3))
    video = to_model_input(clip.video, profile.working_hw)
    side = _block_side(video.size)
    blocks = _to_blocks(video, side)
    reference = run_reference(network.model, video_of_blocks(blocks, side), queries)
    return SidecarCase(name, blocks, side, queries, reference.outputs, None)


def _case(
    shape: tuple[int, int, int], profile: ExportProfile, network: Network, seed: int
) -> SidecarCase:
    batch, frames, points = shape
    size_hw = profile.working_hw
    probe = make_probe(
        "textured", batch=batch, frames=frames, points=points, size_hw=size_hw, seed=seed
    )
    side = _block_side(probe.video.size)
    blocks = _to_blocks(probe.video, side)
    video, queries = video_of_blocks(blocks, side), probe.query_points_tyx
    reference = run_reference(network.model, video, queries)
    conditioning = measure_noise(network.model, video, queries, reference, range(points))
    return SidecarCase(probe.name, blocks, side, queries, reference.outputs, conditioning)


def _block_side(values: int) -> int:
    """The smallest side of blocks with which so many values fit the budget; sides are 8·n."""
    return next((k for k in (1, 2, 4) if values <= _VIDEO_BYTES * k * k), 8)


def _to_blocks(video: NDArray[np.float32], side: int) -> NDArray[np.uint8]:
    """(B, T, H, W, 3) in [-1, 1] → the grey levels of the means of blocks of that side."""
    batch, frames, height, width, _ = video.shape
    cut = video.reshape(batch, frames, height // side, side, width // side, side, 3)
    means = (cut.mean((3, 5)) + 1) / 2
    return np.asarray(np.clip(np.rint(means * 255), 0, 255), np.uint8)
