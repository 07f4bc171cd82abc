"""What a user asks of ``rewrite``, validated once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import get_args

from locoexport.errors import UsageError, did_you_mean
from locoexport.lowering.opset.versions import LOWEST_OPSET
from locoexport.lowering.volumetric.grid_sample import LOWERINGS, Lowering
from locoexport.pipeline.rewriting.known_types import parse_assumed

__all__ = [
    "DEFAULT_LOWERING",
    "NEWER",
    "OPSET",
    "PASS_NAMES",
    "SQUEEZE",
    "VOLUMETRIC",
    "DataLayout",
    "RewriteRequest",
]

VOLUMETRIC, SQUEEZE = "volumetric-gridsample", "single-axis-squeeze"
NEWER, OPSET = "newer-operators", "opset"

DEFAULT_LOWERING: Lowering = "gather"
PASS_NAMES = (VOLUMETRIC, SQUEEZE, NEWER, OPSET)
_HIGHEST_TARGET = 20


@dataclass(frozen=True)
class DataLayout:
    """Where the written model's weights lie: as in the original, in the model's own file
    (``single_file``), or all of them in one file named ``external_data`` beside it.

    Raises:
        UsageError: both were asked for, or ``external_data`` is not the plain name of a file.
    """

    single_file: bool = False
    external_data: str | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, and what would lie elsewhere than beside the model."""
        name = self.external_data
        if name is None:
            return
        if self.single_file:
            raise UsageError("--single-file and --external-data exclude each other; name one.")
        plain = PurePosixPath(name).name == name and PureWindowsPath(name).name == name
        if not name or name == ".." or not plain or not name.isprintable():
            raise UsageError(
                f"--external-data {name!r}: expected the plain name of a file, such as "
                "model.onnx.data; it is put beside the output."
            )

    def check_apart(self, output: Path) -> None:
        """Refuse a data file that is the model.

        Raises:
            UsageError: ``output`` has the name of the data file.
        """
        names = {output.name.casefold(), Path(os.path.realpath(output)).name.casefold()}
        if self.external_data is not None and self.external_data.casefold() in names:
            raise UsageError(
                f"--external-data {self.external_data} is the output's own name; name another file."
            )


@dataclass(frozen=True)
class RewriteRequest:
    """Which passes run, how, and to which opset and IR version.

    ``assumed_types`` are element types (``float32``) by the name of a value that the file tells no
    type of. ``passes`` as given; ``chosen`` are those that run, in their order.

    Raises:
        UsageError: an unknown pass, lowering or element type, or an opset that is out of reach.
    """

    to: Lowering = DEFAULT_LOWERING
    opset: int | None = None
    passes: Sequence[str] = ()
    ir_version: int | None = None
    assumed_types: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    check: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be done, whatever the model is."""
        if self.to not in LOWERINGS:
            raise UsageError(f"--to {self.to!r}: expected {' or '.join(get_args(Lowering))}.")
        if self.opset is not None and not LOWEST_OPSET <= self.opset <= _HIGHEST_TARGET:
            raise UsageError(f"--opset {self.opset}: expected {LOWEST_OPSET} to {_HIGHEST_TARGET}.")
        parse_assumed(self.assumed_types)
        unknown = [name for name in self.passes if name not in PASS_NAMES]
        if unknown:
            raise UsageError(
                f"There is no pass {unknown[0]!r}; there are {', '.join(PASS_NAMES)}."
                + did_you_mean(unknown[0], PASS_NAMES)
            )
        for name in (NEWER, OPSET):
            if name in self.passes and self.opset is None:
                raise UsageError(f"--pass {name} needs to know which: pass --opset N as well.")

    @property
    def chosen(self) -> tuple[str, ...]:
        """The passes that run; an opset adds its own."""
        wanted = set(self.passes) or {VOLUMETRIC}
        if self.opset is not None:
            wanted |= {OPSET} if OPSET in self.passes else {NEWER, OPSET}
        return tuple(name for name in PASS_NAMES if name in wanted)
