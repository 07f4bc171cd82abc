"""A file on Hugging Face, as users name it; huggingface_hub is not needed to read the name.

The names are those of huggingface_hub itself: ``hf://[TYPE/]OWNER/REPO[@REVISION][/FILE]``, where
TYPE is one of ``models``, ``datasets``, ``spaces``, ``kernels`` and ``buckets``. As there, a first
part of such a name is the type and never an owner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import quote, unquote

from locoexport.errors import UsageError

__all__ = [
    "HubFile",
    "HubRepository",
    "RepositoryType",
    "is_plain_path",
    "parse_hub_file",
    "parse_hub_repository",
]

RepositoryType = Literal["model", "dataset"]
"""Kinds of repositories that weights are taken from."""

# A name begins and ends with a letter or digit, without two marks in a row (huggingface_hub says
# the same, but only after it was asked).
_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_]|[-.](?![-.])){0,94}(?<![-.])"
_FORM = re.compile(rf"({_NAME}/{_NAME})(?:@([^/\s]+))?(?:/(\S+))?")
_SCHEME = "hf://"
_OTHER_TYPES = ("spaces", "kernels", "buckets")
_TYPES: dict[str, RepositoryType] = {f"{name}s": name for name in get_args(RepositoryType)}
_SEGMENT_BYTES, _LONGEST, _SHOWN = 200, 1000, 300


@dataclass(frozen=True)
class HubRepository:
    """A repository of Hugging Face; ``revision`` None is its main branch."""

    name: str
    revision: str | None = None
    type: RepositoryType = "model"

    @property
    def address(self) -> str:
        """``hf://[datasets/]OWNER/REPO[@REVISION]``."""
        prefix = "" if self.type == "model" else f"{self.type}s/"
        return f"hf://{prefix}{self.name}{'' if self.revision is None else '@' + self.revision}"


@dataclass(frozen=True)
class HubFile:
    """A file in a repository of Hugging Face."""

    repository: HubRepository
    file: str

    @property
    def address(self) -> str:
        """``hf://[datasets/]OWNER/REPO[@REVISION]/FILE``, which ``parse_hub_file`` reads."""
        return f"{self.repository.address}/{quote(self.file)}"


def parse_hub_file(text: str) -> HubFile:
    """``hf://[datasets/]OWNER/REPO[@REVISION]/FILE``; raises UsageError for anything else.

    Owner and repository are as Hugging Face allows them; revision and file hold no part that
    leads elsewhere, and nothing that is not printed.
    """
    repository, rest = _split(text)
    file = None if rest is None else unquote(rest)
    if repository is not None and file is not None and is_plain_path(file):
        return HubFile(repository, file)
    raise UsageError(
        f"{_shown(text)} is not hf://OWNER/REPO/FILE, hf://OWNER/REPO@REVISION/FILE or "
        "hf://datasets/OWNER/REPO/FILE, for example "
        "hf://datasets/hamacojr/LocoTrack-pytorch-weights/locotrack_small.ckpt."
    )


def parse_hub_repository(text: str) -> HubRepository | None:
    """``hf://[datasets/]OWNER/REPO[@REVISION]`` without a file; None for anything else."""
    repository, rest = _split(text)
    return repository if rest is None else None


def _split(text: str) -> tuple[HubRepository | None, str | None]:
    """The repository, and what comes after it; (None, None) where it is not of that form."""
    if not text.startswith(_SCHEME):
        return None, None
    body = text.removeprefix(_SCHEME)
    first = body.partition("/")[0]
    if first in _OTHER_TYPES:
        raise UsageError(
            f"{_shown(text)}: weights are not taken from {first}; expected a file of a model, "
            "hf://OWNER/REPO/FILE, or of a data set, hf://datasets/OWNER/REPO/FILE."
        )
    kind = _TYPES.get(first)
    match = _FORM.fullmatch(body if kind is None else body.removeprefix(f"{first}/"))
    if match is None or not (match[2] is None or is_plain_path(match[2])):
        return None, None
    return HubRepository(match[1], match[2], kind or "model"), match[3]


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def is_plain_path(place: str) -> bool:
    """Whether it is a relative path of printed letters that stays where it begins."""
    segments = place.split("/")
    return (
        place.isprintable()
        and "\\" not in place
        and all(segment not in ("", ".", "..") for segment in segments)
        and all(len(segment.encode()) <= _SEGMENT_BYTES for segment in segments)
        and len(place) <= _LONGEST
    )
