"""Who takes part in a benchmark, and at which sizes."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from locoexport.benchmarking.contenders import Contender, DeviceGraph, HostGraph, open_graph
from locoexport.benchmarking.distrust import Distrust
from locoexport.contract.metadata import ArtifactMetadata
from locoexport.errors import (
    CheckpointError,
    ModelFileError,
    ProviderUnavailableError,
    UsageError,
    did_you_mean,
)
from locoexport.machine.installation import require_packages
from locoexport.machine.writing.output_files import is_file
from locoexport.notices import Listener
from locoexport.parity.probes import Probe, make_probe
from locoexport.pipeline import model_choice
from locoexport.runtime.session.opening import choose_run
from locoexport.runtime.session.provider_options import provider_name
from locoexport.runtime.session.providers import built_for, require_provider
from locoexport.runtime.session.single import ModelSession

if TYPE_CHECKING:
    from locoexport.benchmarking.torch_model import TorchMode

__all__ = [
    "Size",
    "check_opponents",
    "choose_sizes",
    "find_model",
    "open_opponents",
    "require",
    "title_of",
]

_FRAMES, _POINTS = (8, 24), (64, 256)
_TORCH_MODES: dict[str, TorchMode] = {
    "torch": "eager",
    "compile": "compile",
    "autocast": "autocast",
}
_NONE = "none"


@dataclass(frozen=True)
class Size:
    """One cell of the grid, before it is timed."""

    frames: int
    points: int

    def __str__(self) -> str:
        return f"{self.frames} x {self.points}"

    def probe(self, resolution_hw: tuple[int, int]) -> Probe:
        """Inputs of this size: one clip of moving texture."""
        return make_probe(
            "textured",
            batch=1,
            frames=self.frames,
            points=self.points,
            size_hw=resolution_hw,
            seed=0,
        )


def require(provider: str) -> None:
    """Check that the provider works, before anything is exported or opened.

    Raises:
        UsageError: there is no such provider.
        ProviderUnavailableError: it does not work; says which CUDA this ONNX Runtime wants.
    """
    try:
        require_provider(provider)
    except ProviderUnavailableError as error:
        wanted = built_for() if provider_name(provider) in ("cuda", "tensorrt") else None
        if wanted is None:
            raise
        raise ProviderUnavailableError(
            f"{error} The installed ONNX Runtime is built for {wanted}. "
            "`locoexport doctor` tells more."
        ) from error


def find_model(model: str | Path | None, backbone: str | None, notify: Listener) -> Path:
    """The file to time: the one given, else the backbone's profile, else the one that is shipped.

    Raises:
        UsageError: both are given.
        ProfileError, ModelFileError, PackageMissingError, OutputError: see ``model_choice``.
    """
    if model is not None and backbone is not None:
        raise UsageError("MODEL.onnx and --backbone both name what to time; pass one of them.")
    if backbone is not None:
        return model_choice.find_profile_model(backbone, notify)
    return model_choice.find_model(model, notify)


def choose_sizes(
    ours: HostGraph | DeviceGraph, frames: Sequence[int] | None, points: Sequence[int] | None
) -> list[Size]:
    """Every pair of frames and points; axes that the file fixes are as it says.

    Raises:
        UsageError: sizes were asked for that the file cannot take.
    """
    session = ours.session
    if session.fixed_batch not in (None, 1):
        raise UsageError(
            f"{session.path} is fixed to a batch of {session.fixed_batch}; bench times single "
            "clips. Export it with --batch dynamic or 1."
        )
    rows = _axis("frames", frames, session.fixed_frames, _FRAMES)
    columns = _axis("points", points, session.fixed_points, _POINTS)
    return [Size(t, n) for t, n in product(rows, columns)]


def check_opponents(against: Sequence[str]) -> None:
    """Check, before any work, that each of ``against`` names something, and something else.

    Raises:
        UsageError: one does not, or is there twice, or is ``none`` beside another.
        ModelFileError: one is an .onnx file that is not there.
    """
    for name in against:
        if name != _NONE and name not in _TORCH_MODES:
            _check_file(name)
    if len(set(against)) < len(against):
        raise UsageError(f"--against names an opponent twice: {', '.join(against)}.")
    if _NONE in against and len(against) > 1:
        raise UsageError(f"--against {_NONE} says that there is no opponent; leave out the others.")


def open_opponents(
    ours: HostGraph | DeviceGraph,
    against: Sequence[str],
    provider: str | None,
    distrust: Distrust,
) -> tuple[Contender, ...]:
    """The other sides, as ``check_opponents`` let them pass; none named: torch where that can be.

    Another file runs on ``provider``, or where that is None on its own choice; its name tells where
    it is another one than ours.

    Raises:
        UsageError: the file does not say which network it is.
        ModelFileError: another .onnx file is not a tracker.
    """
    metadata = _metadata_of(ours)
    if not against:
        has_torch = importlib.util.find_spec("torch") is not None
        against = ("torch" if has_torch and metadata is not None else _NONE,)
    names = [name for name in against if name != _NONE]
    modes = [name for name in names if name in _TORCH_MODES]
    if modes and metadata is None:
        raise UsageError(
            f"{ours.session.path} carries no locoexport metadata, so which network to run in torch "
            "is unknown; compare it with an .onnx file, or pass --against none."
        )
    if modes:
        require_packages("torch", "safetensors", "onnx", extra="export")
    in_torch = _torch_models(ours.session, distrust, modes) if modes else {}
    return tuple(
        in_torch[name] if name in in_torch else _open_file(name, ours, provider, distrust)
        for name in names
    )


def title_of(ours: HostGraph | DeviceGraph) -> str:
    """What is timed, in a few words."""
    metadata = _metadata_of(ours)
    height, width = ours.resolution_hw
    if metadata is None:
        return f"{ours.session.path.name}, {height}x{width}"
    return (
        f"{metadata.profile}, {height}x{width}, opset {metadata.opset}, {metadata.precision}, "
        f"{metadata.sampling} sampling"
    )


def _metadata_of(graph: HostGraph | DeviceGraph) -> ArtifactMetadata | None:
    try:
        return graph.session.metadata
    except ModelFileError:
        return None


def _axis(
    name: str, asked: Sequence[int] | None, fixed: int | None, default: tuple[int, ...]
) -> Sequence[int]:
    sizes = asked or ((fixed,) if fixed is not None else default)
    if fixed is not None and set(sizes) != {fixed}:
        raise UsageError(
            f"--{name} asks for {', '.join(map(str, sizes))}, but the file is fixed to {fixed} "
            f"{name}. Leave --{name} out, or export with --{name} dynamic."
        )
    return sizes


def _check_file(name: str) -> None:
    words = (*_TORCH_MODES, _NONE)
    if not name.endswith(".onnx"):
        raise UsageError(
            f"--against {name!r}: expected {', '.join(words)} or the path of an .onnx file."
            + did_you_mean(name, words)
        )
    if not is_file(Path(name)):
        raise ModelFileError(f"There is no model file {name}.")


def _open_file(
    against: str, ours: HostGraph | DeviceGraph, provider: str | None, distrust: Distrust
) -> Contender:
    choice, name = choose_run(against, provider), Path(against).name
    if choice.warning:
        distrust.add(choice.warning)
    if choice.provider != ours.session.provider:
        name += f" on {choice.provider}"
    return open_graph(Path(against), choice.provider, name, choice)


def _torch_models(
    session: ModelSession, distrust: Distrust, names: Sequence[str]
) -> dict[str, Contender]:
    """The model as each of ``names`` says, over the same weights."""
    import torch

    from locoexport.benchmarking.torch_model import TorchModel
    from locoexport.network.loading import load_network
    from locoexport.pipeline.weights.origin import load_weights, profile_of

    metadata, profile = session.metadata, profile_of(session)
    try:
        network = load_weights(session.path, metadata, profile, None)
    except CheckpointError:
        distrust.add(
            f"The weights of {session.path} were not found, so torch runs with other weights. That "
            "takes the same time, but the tracks of the two sides cannot be compared."
        )
        network = load_network(replace(profile, demo_weights=None), None)
    device = "cpu"
    if provider_name(session.provider) in ("cuda", "tensorrt"):
        if torch.cuda.is_available():
            device = "cuda"
        else:
            distrust.add("The installed torch has no CUDA, so its side runs on the CPU.")
    return {
        name: TorchModel(network.model, metadata.variant, mode=_TORCH_MODES[name], device=device)
        for name in names
    }
