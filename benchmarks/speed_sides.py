"""Who else takes part in speed.py: PyTorch's own faster ways, and files made to be within a limit.

``fair`` is a word about error too. PyTorch under bfloat16 autocast moves points, and so do files in
8 bits: ``measure_errors`` says how far, for every side alike, from the same eager answers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from locoexport.benchmarking.contenders import Contender, open_graph
from locoexport.benchmarking.torch_model import TorchModel
from locoexport.contract.profile import SCORED_HW
from locoexport.contract.visibility import visible_from_logits
from locoexport.errors import MachineError
from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence
from locoexport.evaluation.metrics import sample_queries
from locoexport.parity.probes import make_probe
from locoexport.runtime.session.single import RawTracks
from locoexport.runtime.video.frames import (
    scale_queries_to_model,
    scale_tracks_to_video,
    to_model_input,
)

__all__ = [
    "COMPILED_AT",
    "Compiled",
    "ProvenFile",
    "compile_model",
    "measure_errors",
    "open_proven",
    "proven_file",
]

COMPILED_AT = (24, 64)
"""torch.compile compiles every size anew, for minutes: it takes part at this one."""
_CLIPS = 3
_SEQUENCES = SyntheticSettings(frames=24, points=64, seed=0)


@dataclass(frozen=True)
class ProvenFile:
    """A file of ours that is to be fast within a limit; ``name`` is what the pages call it."""

    path: Path
    provider: str
    name: str


def proven_file(text: str, variant: str) -> ProvenFile | None:
    """What one ``--within VARIANT=FILE[@PROVIDER]`` names; None where it is for another variant.

    Raises:
        SystemExit: the text is not so, or there is no such file.
    """
    named, equals, rest = text.partition("=")
    place, _, provider = rest.rpartition("@") if "@" in rest else (rest, "", "cpu")
    path = Path(place)
    if not equals or not named or not path.is_file():
        raise SystemExit(f"--within {text}: expected VARIANT=FILE.onnx[@PROVIDER] of a file")
    if named != variant:
        return None
    return ProvenFile(path, provider, f"{path.stem} ({provider})")


def open_proven(found: ProvenFile) -> Contender:
    """The file as a side.

    Raises:
        ModelFileError, ProviderUnavailableError: see ``open_graph``.
    """
    return open_graph(found.path, found.provider, found.name)


@dataclass(frozen=True)
class Compiled:
    """What came of torch.compile at one size: a side, or why there is none.

    ``seconds`` are those that passed: CPU time is not told, since compilers run in a pool of
    processes that lives on, and what they took is not known yet.
    """

    side: Contender | None
    failed: str | None
    seconds: float

    def record(self) -> dict[str, Any]:
        """As it stands in docs/speed.json."""
        frames, points = COMPILED_AT
        return {
            "frames": frames,
            "points": points,
            "failed": self.failed,
            "seconds": self.seconds,
        }


def compile_model(side: TorchModel) -> Compiled:
    """Compile ``side`` at ``COMPILED_AT``: its first call. A failure is kept, with its message."""
    frames, points = COMPILED_AT
    probe = make_probe(
        "textured", batch=1, frames=frames, points=points, size_hw=side.resolution_hw, seed=0
    )
    side.prepare(probe.video, probe.query_points_tyx)
    started = time.perf_counter()
    failed = None
    try:
        side.run()
    except MachineError as error:
        failed = str(error)
    return Compiled(
        side=None if failed else side,
        failed=failed,
        seconds=time.perf_counter() - started,
    )


def measure_errors(sides: Sequence[Contender], working_hw: tuple[int, int]) -> dict[str, Any]:
    """How far every other side is from the first one, by name.

    In pixels of 256×256, over the points and frames that the first one calls visible (where a
    hidden point is, is a guess) of some generated clips of 24 frames and 64 points. ``finite`` is
    of every output; p50 and p99 are None where a distance is no number, or there is none.
    """
    distances: dict[str, list[Any]] = {side.name: [] for side in sides[1:]}
    finite = dict.fromkeys(distances, True)
    for index in range(_CLIPS):
        clip = make_sequence(index, _SEQUENCES)
        asked = sample_queries(clip.occluded, clip.points * SCORED_HW[0], "first")["query_points"]
        count = asked.shape[1]
        queries = scale_queries_to_model(asked, SCORED_HW, working_hw)
        # As many as were compiled for: what stands there twice is not counted.
        queries = np.resize(queries, (1, _SEQUENCES.points, 3))
        video = to_model_input(clip.video, working_hw)
        wanted, *answers = (_answer(side, video, queries) for side in sides)
        visible, _ = visible_from_logits(wanted.occlusion, wanted.expected_dist)
        for name, raw in zip(distances, answers, strict=True):
            moved = scale_tracks_to_video(raw.tracks_xy - wanted.tracks_xy, working_hw, SCORED_HW)
            apart = np.linalg.norm(moved, axis=-1)[:, :count]
            distances[name].append(apart[visible[:, :count]])
            finite[name] &= _all_finite(raw)
    return {
        name: _quantiles(np.concatenate(found)) | {"finite": finite[name]}
        for name, found in distances.items()
    }


def _answer(side: Contender, video: Any, queries: Any) -> RawTracks:
    side.prepare(video, queries)
    side.run()
    return side.outputs()


def _all_finite(raw: RawTracks) -> bool:
    arrays = (raw.tracks_xy, raw.occlusion, raw.expected_dist)
    return all(bool(np.isfinite(array).all()) for array in arrays)


def _quantiles(apart_px: Any) -> dict[str, Any]:
    known = apart_px.size > 0 and bool(np.isfinite(apart_px).all())
    p50, p99 = map(float, np.quantile(apart_px, (0.5, 0.99))) if known else (None, None)
    return {"p50_px": p50, "p99_px": p99, "compared": int(apart_px.size), "clips": _CLIPS}
