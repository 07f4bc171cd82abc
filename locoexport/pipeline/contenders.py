"""Who takes part in a benchmark, and at which sizes."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

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

__all__ = [
    "Size",
    "check_opponent",
    "choose_sizes",
    "find_model",
    "open_opponent",
    "require",
    "title_of",
]

_FRAMES, _POINTS = (8, 24), (64, 256)


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


def check_opponent(against: str | None) -> None:
    """Check, before any work, that ``against`` names something.

    Raises:
        UsageError: it does not.
        ModelFileError: it is an .onnx file that is not there.
    """
    if against is None or against in ("none", "torch", "compile"):
        return
    if not against.endswith(".onnx"):
        raise UsageError(
            f"--against {against!r}: expected torch, compile, none or the path of an .onnx file."
            + did_you_mean(str(against), ("torch", "compile", "none"))
        )
    if not is_file(Path(against)):
        raise ModelFileError(f"There is no model file {against}.")


def open_opponent(
    ours: HostGraph | DeviceGraph, against: str | None, provider: str | None, distrust: Distrust
) -> Contender | None:
    """The other side; None where there is none.

    Another file runs on ``provider``, or where that is None on its own choice; its name tells where
    it is another one than ours.

    Raises:
        UsageError: the file does not say which network it is.
        ModelFileError: the other .onnx file is not a tracker.
    """
    metadata = _metadata_of(ours)
    if against is None:
        has_torch = importlib.util.find_spec("torch") is not None
        against = "torch" if has_torch and metadata is not None else "none"
    if against == "none":
        return None
    if against.endswith(".onnx"):
        choice, name = choose_run(against, provider), Path(against).name
        if choice.warning:
            distrust.add(choice.warning)
        if choice.provider != ours.session.provider:
            name += f" on {choice.provider}"
        return open_graph(Path(against), choice.provider, name, choice)
    if metadata is None:
        raise UsageError(
            f"{ours.session.path} carries no locoexport metadata, so which network to run in torch "
            "is unknown; compare it with an .onnx file, or pass --against none."
        )
    require_packages("torch", "safetensors", "onnx", extra="export")
    return _torch_model(ours.session, distrust, compiled=against == "compile")


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


def _torch_model(session: ModelSession, distrust: Distrust, *, compiled: bool) -> Contender:
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
    return TorchModel(network.model, metadata.variant, compiled=compiled, device=device)
