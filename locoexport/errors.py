"""Every error a user can meet, in one tree.

```text
LocoExportError
├── CheckFailedError        exit 1   a check ran, and its answer is no
│   ├── ParityFailedError            the graph is not the same function
│   ├── GraphCheckFailedError        the graph breaks a promise (rank-5 GridSample, opset, ...)
│   ├── NothingDetectedError         a detector saw nothing that could be tracked
│   └── TrainingFailedError          training diverged
├── UsageError              exit 2   the command or call was wrong
│   ├── ProfileError                 no such profile, or a profile that contradicts itself
│   └── OutputError                  an output that cannot or must not be written
├── InputError              exit 2   a file or an array that was handed in is bad
│   ├── CheckpointError              weights
│   ├── ModelFileError               an .onnx file
│   ├── SidecarError                 a .parity.npz, or one that is of another file
│   ├── VideoError                   a clip
│   └── QueryError                   query points
├── MachineError            exit 3   this machine lacks something
│   ├── ProviderUnavailableError     an execution provider
│   ├── PackageMissingError          a Python package
│   └── UnreachableError             a server
└── StoppedError            exit 130 the user interrupted what an equal command goes on with
```

A message says what was found, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "CheckFailedError",
    "CheckpointError",
    "GraphCheckFailedError",
    "InputError",
    "LocoExportError",
    "MachineError",
    "ModelFileError",
    "NothingDetectedError",
    "OutputError",
    "PackageMissingError",
    "ParityFailedError",
    "ProfileError",
    "ProviderUnavailableError",
    "QueryError",
    "SidecarError",
    "StoppedError",
    "TrainingFailedError",
    "UnreachableError",
    "UsageError",
    "VideoError",
    "did_you_mean",
]


class LocoExportError(Exception):
    """The base of every error that a caller can act on.

    ``exit_code`` is the code that the command line ends with.
    """

    exit_code: int = 2


class CheckFailedError(LocoExportError):
    """A check ran and failed."""

    exit_code = 1


class ParityFailedError(CheckFailedError):
    """The exported graph does not compute what the PyTorch model computes."""


class GraphCheckFailedError(CheckFailedError):
    """The graph breaks a promise that every exported file keeps."""


class NothingDetectedError(CheckFailedError):
    """A detector saw nothing in a clip, and nothing else was asked for."""


class TrainingFailedError(CheckFailedError):
    """Losses or weights are not finite; the last good checkpoint is kept."""


class UsageError(LocoExportError):
    """The command or the call was wrong."""


class ProfileError(UsageError):
    """An export profile is unknown, malformed or contradicted by another option."""


class OutputError(UsageError):
    """An output cannot be written, or must not be overwritten."""


class InputError(LocoExportError):
    """Something that was handed in is bad."""


class CheckpointError(InputError):
    """A checkpoint cannot be read or does not fit."""


class ModelFileError(InputError):
    """An .onnx file cannot be read, or is not one of ours where it has to be."""


class SidecarError(InputError):
    """A parity sidecar cannot be read, is too large, or belongs to another model."""


class VideoError(InputError):
    """A video cannot be read."""


class QueryError(InputError):
    """Query points are malformed or outside the video."""


class MachineError(LocoExportError):
    """This machine lacks something."""

    exit_code = 3


class ProviderUnavailableError(MachineError):
    """An execution provider cannot be used on this machine."""


class PackageMissingError(MachineError):
    """A Python package that this command needs is not installed."""


class UnreachableError(MachineError):
    """A server that weights are to come from cannot be reached."""


class StoppedError(LocoExportError):
    """The user interrupted a command; what it did is kept, and the same command goes on."""

    exit_code = 130


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`` Did you mean b5?`` where a known name is close to the one that was given; else nothing."""
    by_spelling = {_spelling(name): name for name in known}
    close = get_close_matches(_spelling(given), by_spelling, n=1)
    return f" Did you mean {by_spelling[close[0]]}?" if close else ""


def _spelling(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "")
