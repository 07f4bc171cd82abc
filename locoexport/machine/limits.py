"""How much of a file from strangers is read: one table of limits, and how each is raised.

A small file can ask for all of a machine's memory, or for hours. What it says of its size is held
against these limits before anything is made of it. Each limit has an environment variable, for
those who trust a file that is honestly that large.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from locoexport.errors import InputError, UsageError

__all__ = [
    "ANNOTATION_BYTES",
    "ANNOTATION_ROW_BYTES",
    "CALL_DEPTH",
    "CHECKPOINT_HEADER_BYTES",
    "CHECKPOINT_TENSORS",
    "CLIP_BYTES",
    "DOWNLOAD_BYTES",
    "DOWNLOAD_SECONDS",
    "DOWNLOAD_STALL_SECONDS",
    "EVALUATED_BYTES",
    "EVALUATION_SECONDS",
    "FRAME_BOXES",
    "FRAME_PIXELS",
    "GRAPH_NODES",
    "HUB_FILES",
    "IMAGE_PIXELS",
    "LIMITS",
    "MASK_BYTES",
    "MASK_PIXELS",
    "METADATA_BYTES",
    "NESTING",
    "PICKLE_OPERATIONS",
    "PROFILE_BYTES",
    "PROOF_BYTES",
    "READING_BYTES",
    "RECORD_BYTES",
    "ROWS",
    "SIDECAR_BYTES",
    "TEXT_BYTES",
    "TRACKS_BYTES",
    "Limit",
    "describe_limits",
]

_PREFIX = "LOCOEXPORT_MAX_"


@dataclass(frozen=True)
class Limit:
    """One limit: ``default`` of ``unit``, unless the environment says another number."""

    name: str
    default: int
    unit: str
    of: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return _PREFIX + self.name

    @property
    def value(self) -> int:
        """The limit in force.

        Raises:
            UsageError: the environment variable holds no whole number above 0.
        """
        text = os.environ.get(self.variable)
        if text is None:
            return self.default
        # int() takes time that grows with the square of the digits; 18 are enough for any size.
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0):
            raise UsageError(f"{self.variable}={text[:40]!r} is not a whole number above 0.")
        return int(text)

    def check(self, found: int, subject: object, error_type: type[InputError] = InputError) -> None:
        """Refuse what is over the limit.

        Args:
            found: how much there is, in ``unit``.
            subject: whose it is, as the message should name it: a path, or a part of a file.
            error_type: what is raised.

        Raises:
            InputError: of ``error_type``, naming the number found, the limit and the variable.
        """
        limit = self.value
        if found > limit:
            raise error_type(
                f"{subject} has {found:,} {self.unit}, and at most {limit:,} are taken from a file"
                f" ({self.of}). If you trust it, set {self.variable}={found}."
            )


FRAME_PIXELS = Limit("FRAME_PIXELS", 40_000_000, "pixels a frame", "a video")
IMAGE_PIXELS = Limit("IMAGE_PIXELS", 40_000_000, "pixels an image", "an image within a dataset")
CLIP_BYTES = Limit("CLIP_BYTES", 2 << 30, "bytes of decoded frames", "a clip of a dataset")
MASK_PIXELS = Limit("MASK_PIXELS", 40_000_000, "pixels", "a mask")
MASK_BYTES = Limit("MASK_BYTES", 512 << 20, "bytes", "the file of a mask")
ROWS = Limit("ROWS", 1_000_000, "rows", "points or boxes, as text or arrays")
FRAME_BOXES = Limit("FRAME_BOXES", 2000, "boxes in one frame", "boxes, which are compared in pairs")
TEXT_BYTES = Limit("TEXT_BYTES", 24 << 20, "bytes", "a CSV or JSON input")
ANNOTATION_BYTES = Limit("ANNOTATION_BYTES", 1 << 30, "bytes", "annotations of a dataset as CSV")
ANNOTATION_ROW_BYTES = Limit("ANNOTATION_ROW_BYTES", 4 << 20, "bytes", "a row of annotations")
TRACKS_BYTES = Limit("TRACKS_BYTES", 1 << 30, "bytes", "tracks, unpacked")
METADATA_BYTES = Limit("METADATA_BYTES", 64 << 10, "bytes", "a metadata value of a model")
NESTING = Limit("NESTING", 100, "levels", "JSON or TOML")
PROFILE_BYTES = Limit("PROFILE_BYTES", 32 << 10, "bytes", "an export profile")
RECORD_BYTES = Limit("RECORD_BYTES", 1 << 20, "bytes", "a record of finished work")
SIDECAR_BYTES = Limit("SIDECAR_BYTES", 256 << 20, "bytes", "a sidecar, unpacked")
CHECKPOINT_TENSORS = Limit("CHECKPOINT_TENSORS", 20_000, "tensors", "a checkpoint")
CHECKPOINT_HEADER_BYTES = Limit(
    "CHECKPOINT_HEADER_BYTES", 16 << 20, "bytes before its tensors", "a checkpoint"
)
PICKLE_OPERATIONS = Limit("PICKLE_OPERATIONS", 1_000_000, "operations", "a pickle")
GRAPH_NODES = Limit("GRAPH_NODES", 200_000, "nodes", "a graph, with its functions inlined")
CALL_DEPTH = Limit("CALL_DEPTH", 100, "levels of calls", "the functions of a graph")
READING_BYTES = Limit(
    "READING_BYTES", 1 << 30, "bytes", "memory to read a graph, beyond ten times its file size"
)
PROOF_BYTES = Limit("PROOF_BYTES", 4 << 30, "bytes", "memory to prove a node, beyond the above")
EVALUATED_BYTES = Limit("EVALUATED_BYTES", 16 << 20, "bytes", "a constant computed from others")
EVALUATION_SECONDS = Limit("EVALUATION_SECONDS", 60, "seconds", "one step of reading a graph")
DOWNLOAD_BYTES = Limit("DOWNLOAD_BYTES", 8 << 30, "bytes", "a download")
DOWNLOAD_SECONDS = Limit("DOWNLOAD_SECONDS", 6 * 3600, "seconds", "a download")
DOWNLOAD_STALL_SECONDS = Limit("DOWNLOAD_STALL_SECONDS", 20, "seconds", "64 KiB of a download")
HUB_FILES = Limit("HUB_FILES", 10_000, "files", "a repository that is searched for weights")

LIMITS = tuple(value for value in list(globals().values()) if isinstance(value, Limit))
"""All of them, in the order above."""


def describe_limits() -> str:
    """All limits as a Markdown table, which SECURITY.md has between two marks."""
    rows = [
        f"| `{limit.variable}` | {limit.default:,} {limit.unit} | {limit.of} |" for limit in LIMITS
    ]
    return "\n".join(["| variable | limit | applies to |", "|---|---|---|", *rows])
