"""Architectures that sample volumes: built, exported by torch, rewritten, compared with torch.

The oracle is the torch module itself, in float32, at sizes that were never traced. What ONNX
Runtime's own 5D kernel is apart from it, in the file as it was exported, is measured beside it.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import volumetric_networks as networks
from torch import Tensor, nn

from locoexport.errors import LocoExportError
from locoexport.lowering.volumetric.grid_sample import Lowering
from locoexport.pipeline.rewrite import RewriteFailedError, rewrite

__all__ = [
    "ARCHITECTURES",
    "EXPORTS",
    "FACTOR",
    "FLOOR",
    "Architecture",
    "Export",
    "Sides",
    "Verdict",
    "export",
    "lacking",
    "rewritten_apart",
    "session_of",
    "verdict",
]

FACTOR, FLOOR = 4.0, 2e-5
"""A rewritten model may be ``FACTOR`` times as far from torch as the exported one is in ONNX
Runtime's own 5D kernel, and always ``FLOOR`` of the largest value."""


@dataclass(frozen=True)
class Architecture:
    """A network, and the sizes of its inputs.

    ``shapes`` gives the inputs' shapes for one size; ``traced`` is the size that torch sees, and
    ``tried`` others, of batches and lengths that it never saw. ``open_axes`` are those of each
    input that the open exports leave open. ``needs`` is a package that the project does not
    install.
    """

    name: str
    build: Callable[[], nn.Module]
    shapes: Callable[[tuple[int, ...]], tuple[tuple[int, ...], ...]]
    traced: tuple[int, ...]
    tried: tuple[tuple[int, ...], ...]
    open_axes: tuple[tuple[int, ...], ...]
    needs: str = ""


@dataclass(frozen=True)
class Export:
    """Which of torch's exporters, at which opset, and whether axes are open."""

    dynamo: bool
    opset: int
    open: bool

    def __str__(self) -> str:
        exporter = "dynamo" if self.dynamo else "torchscript"
        return f"{exporter} {self.opset} {'open' if self.open else 'static'}"


EXPORTS = tuple(
    Export(dynamo, opset, open_)
    for dynamo, opset in ((True, 20), (True, 18), (False, 20))
    for open_ in (False, True)
)


@dataclass(frozen=True)
class Sides:
    """How far from torch at one size, in parts of the largest value: as exported, and rewritten."""

    size: tuple[int, ...]
    exported: float
    rewritten: float

    @property
    def right(self) -> bool:
        return self.rewritten <= max(FACTOR * self.exported, FLOOR)


class _Vxm(nn.Module):
    """Only tensors come out of an export: the warped volume and the flow."""

    def __init__(self) -> None:
        super().__init__()
        from voxelmorph.nn.models import VxmPairwise

        self.net = VxmPairwise(3, 1, 1, nb_features=[4, 4, 4], flow_initializer=0.1)

    def forward(self, moving: Tensor, fixed: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.net(moving, fixed, return_warped_source=True))


class _Fresh(nn.Module):
    """MONAI keeps the cells of the last size; a new size needs new ones."""

    def __init__(self, net: nn.Module, warp: nn.Module) -> None:
        super().__init__()
        self.net, self._warp = net, [warp]

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        self._warp[0].ref_grid = None
        return self.net(*inputs)


def _monai_voxelmorph() -> nn.Module:
    from monai.networks.nets import VoxelMorph, VoxelMorphUNet

    unet = VoxelMorphUNet(3, 2, 8, (4, 8, 8, 8), (8, 8))
    net = VoxelMorph(unet, integration_steps=3)
    nn.init.normal_(_last(net).weight, std=0.1)
    return net


def _last(net: nn.Module) -> nn.Module:
    return [module for module in net.modules() if isinstance(module, nn.Conv3d)][-1]


def _dvf2ddf(mode: str, padding: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from monai.networks.blocks import DVF2DDF

        net = DVF2DDF(num_steps=2, mode=mode, padding_mode=padding)
        return _Fresh(net, net.warp_layer)

    return build


def _warp(mode: str, padding: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from monai.networks.blocks import Warp

        net = Warp(mode=mode, padding_mode=padding)
        return _Fresh(net, net)

    return build


def _field(size: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return ((size[0], 3, *size[1:]),)


def _pair(size: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return ((size[0], 1, *size[1:]),) * 2


def _face(size: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return (size[0], 3, *size[1:]), (size[0], 3, 3), (size[0], 3, 3)


_SPACE = (0, 2, 3, 4)
_SIZES = ((1, 6, 7, 8), (2, 4, 9, 8), (3, 6, 7, 8))
_EIGHTS = ((2, 8, 16, 8), (1, 16, 8, 8), (3, 8, 8, 24))
ARCHITECTURES = (
    Architecture("MONAI VoxelMorph", _monai_voxelmorph, _pair, (1, 16, 16, 16),
                 ((1, 16, 16, 16), (2, 16, 32, 16), (3, 32, 16, 16)), (_SPACE, _SPACE), "monai"),
    *(
        Architecture(f"MONAI DVF2DDF {mode} {padding}", _dvf2ddf(mode, padding), _field,
                     (1, 6, 7, 8), _SIZES, (_SPACE,), "monai")
        for mode, padding in (("bilinear", "zeros"), ("bilinear", "reflection"),
                              ("nearest", "border"))
    ),
    *(
        Architecture(f"MONAI Warp {mode} {padding}", _warp(mode, padding),
                     lambda s: ((s[0], 4, *s[1:]), (s[0], 3, *s[1:])),
                     (2, 6, 7, 8), ((2, 4, 9, 8), (2, 8, 6, 5)), ((2, 3, 4),) * 2, "monai")
        for mode, padding in (("bilinear", "border"), ("nearest", "zeros"))
    ),
    Architecture("VoxelMorph VxmPairwise", _Vxm, _pair, (2, 8, 8, 8), _EIGHTS, (_SPACE, _SPACE),
                 "voxelmorph"),
    Architecture("LivePortrait style", networks.LivePortraitStyle, _face, (2, 32, 32),
                 ((1, 32, 32), (3, 32, 48)), ((0, 2, 3), (0,), (0,))),
    Architecture("face-vid2vid style", networks.DenseMotionStyle,
                 lambda s: ((s[0], 4, 4, *s[1:]), (s[0], 3, 3), (s[0], 3, 3)), (2, 16, 16),
                 ((1, 16, 16), (3, 8, 24)), ((0, 3, 4), (0,), (0,))),
    Architecture("SadTalker style", networks.SadTalkerStyle,
                 lambda s: ((s[0], 3, *s[1:3]), (s[0], 3, 3), (s[0], 5, s[3])), (2, 32, 32, 27),
                 ((1, 32, 32, 27), (3, 16, 48, 27)), ((0, 2, 3), (0,), (0,))),
    Architecture("TAPIR style", networks.TapirStyle,
                 lambda s: ((s[0], s[1], 3, *s[3:]), (s[0], s[2], 3)), (2, 4, 3, 32, 32),
                 ((1, 5, 2, 32, 40), (3, 2, 6, 48, 32)), ((0, 1, 3, 4), (0, 1))),
    Architecture("CoTracker3 style", networks.CoTrackerStyle,
                 lambda s: ((s[0], s[1], 3, *s[3:]), (s[0], s[2], 3)), (2, 4, 3, 32, 32),
                 ((1, 5, 2, 32, 40), (3, 3, 6, 48, 32)), ((0, 1, 3, 4), (0, 1))),
    Architecture("PWC 3D style", networks.Pwc3DStyle, _pair, (2, 6, 8, 10),
                 ((1, 6, 8, 10), (3, 8, 6, 8)), (_SPACE, _SPACE)),
    Architecture("RAFT 3D style", networks.Raft3DStyle, _pair, (2, 8, 12, 8),
                 ((1, 8, 12, 8), (3, 12, 8, 16)), (_SPACE, _SPACE)),
    Architecture("voxel radiance field", networks.VoxelRadianceField,
                 lambda s: ((s[0], 3), (s[0], 3)), (5,), ((1,), (64,)), ((0,), (0,))),
    *(
        Architecture(f"3D transformer {mode} {padding}",
                     partial(networks.VolumetricTransformer, mode, padding),
                     lambda s: ((s[0], 2, *s[1:]),), (2, 6, 7, 8),
                     ((1, 6, 7, 8), (5, 6, 7, 8)), ((0,),))
        for mode, padding in (("bilinear", "zeros"), ("bilinear", "reflection"),
                              ("nearest", "border"))
    ),
)  # fmt: skip


def lacking(architecture: Architecture) -> str:
    """Why an architecture cannot be built here; "" where it can."""
    if architecture.needs and importlib.util.find_spec(architecture.needs) is None:
        return f"{architecture.needs} is not installed"
    return ""


def built(architecture: Architecture) -> nn.Module:
    """With the same random weights each time."""
    torch.manual_seed(0)
    return architecture.build().eval()


def inputs_of(architecture: Architecture, size: tuple[int, ...], seed: int = 1) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=random) for shape in architecture.shapes(size)]


def export(architecture: Architecture, how: Export, path: Path) -> onnx.ModelProto:
    """The network as torch writes it; raises what torch raises."""
    net, inputs = built(architecture), tuple(inputs_of(architecture, architecture.traced))
    names = [f"in{number}" for number in range(len(inputs))]
    options: dict[str, object] = {}
    if how.open and how.dynamo:
        options["dynamic_shapes"] = _dynamic(net, architecture)
    elif how.open:
        options["dynamic_axes"] = {
            name: {axis: f"{name}_{axis}" for axis in axes}
            for name, axes in zip(names, architecture.open_axes, strict=True)
        }
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                net, inputs, path, opset_version=how.opset, dynamo=how.dynamo, verbose=False,
                input_names=names, external_data=False, **options,
            )  # fmt: skip
    finally:
        logging.disable(logging.NOTSET)
    return onnx.load(path)


def _dynamic(net: nn.Module, architecture: Architecture) -> object:
    opened = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis in axes} for axes in architecture.open_axes
    )
    return (opened,) if isinstance(net, _Fresh) else opened


@dataclass(frozen=True)
class Verdict:
    """One rewrite of one export: right, refused, not judged or wrong; what was seen, in words.

    ``right_in_truth`` is, of a refusal, whether the model that was not written is right.
    """

    name: str
    how: Export
    to: Lowering
    opset: int | None
    outcome: str
    detail: str = ""
    right_in_truth: bool = False

    @property
    def fault(self) -> bool:
        return self.outcome == "wrong" or self.right_in_truth


def verdict(
    architecture: Architecture, how: Export, model: onnx.ModelProto, to: Lowering, opset: int | None
) -> Verdict:
    """Rewrite an export, and run it at every size; what is no refusal in words is raised."""

    def made(outcome: str, detail: str, *, in_truth: bool = False) -> Verdict:
        return Verdict(architecture.name, how, to, opset, outcome, detail, in_truth)

    try:
        report = rewrite(model, to=to, opset=opset)
    except RewriteFailedError as error:
        unchecked = rewrite(model, to=to, opset=opset, check=False)
        sides, _ = _compared(architecture, how, model, unchecked.model)
        return made("refused", str(error), in_truth=bool(sides) and all(s.right for s in sides))
    except LocoExportError as error:
        return made("refused", str(error))
    sides, left_out = _compared(architecture, how, model, report.model)
    if not sides:
        return made("not judged", "; ".join(left_out))
    worst = max(sides, key=lambda side: side.rewritten)
    told = f"{worst.size}: {worst.rewritten:.1e} from torch, as exported {worst.exported:.1e}"
    return made("right" if all(side.right for side in sides) else "wrong", told)


def _compared(
    architecture: Architecture, how: Export, exported: onnx.ModelProto, rewritten: onnx.ModelProto
) -> tuple[list[Sides], list[str]]:
    found = list(rewritten_apart(architecture, how, exported, rewritten))
    sides = [one for one in found if isinstance(one, Sides)]
    return sides, [one for one in found if isinstance(one, str)]


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def rewritten_apart(
    architecture: Architecture,
    how: Export,
    exported: onnx.ModelProto,
    rewritten: onnx.ModelProto,
) -> Iterator[Sides | str]:
    """Both files against torch, at every size that the export allows; a text where one fails.

    A size that the exported file itself cannot run, or gets wrong, is torch's own and left out.
    """
    net = built(architecture)
    sessions = [session_of(exported), session_of(rewritten)]
    for size in dict.fromkeys((architecture.traced, *(architecture.tried if how.open else ()))):
        inputs = inputs_of(architecture, size, seed=2)
        with torch.no_grad():
            due = net(*inputs)
        expected = [value.numpy() for value in (due if isinstance(due, tuple) else (due,))]
        fed = [value.numpy() for value in inputs]
        before = _apart(sessions[0], fed, expected)
        if isinstance(before, str) or before > 1e-3:
            yield f"{size}: as exported: {before}"
            continue
        after = _apart(sessions[1], fed, expected)
        yield Sides(size, before, np.inf if isinstance(after, str) else after)


def _apart(
    session: onnxruntime.InferenceSession, fed: list[np.ndarray], expected: list[np.ndarray]
) -> float | str:
    names = [value.name for value in session.get_inputs()]
    try:
        found = session.run(None, dict(zip(names, fed, strict=True)))
    except Exception as error:  # ONNX Runtime's errors have no common class
        return " ".join(str(error).split())[:160]
    worst = 0.0
    for one, other in zip(expected, found, strict=True):
        if one.shape != other.shape:
            return f"shape {other.shape} where {one.shape} is due"
        worst = max(worst, float(np.abs(one - other).max() / max(np.abs(one).max(), 1e-6)))
    return worst
