"""A file on Hugging Face, as users name it; huggingface_hub is not needed to read the name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from locoexport.errors import UsageError

__all__ = ["HubFile", "parse_hub_file"]

# A name begins and ends with a letter or digit, without two marks in a row (huggingface_hub says
# the same, but only after it was asked).
_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_]|[-.](?![-.])){0,94}(?<![-.])"
_FORM = re.compile(rf"hf://({_NAME}/{_NAME})(?:@([^/\s]+))?/(\S+)")
_SEGMENT_BYTES, _LONGEST, _SHOWN = 200, 1000, 300


@dataclass(frozen=True)
class HubFile:
    """A file in a repository of Hugging Face; ``revision`` None is its main branch."""

    repo: str
    file: str
    revision: str | None


def parse_hub_file(text: str) -> HubFile:
    """``hf://OWNER/REPO[@REVISION]/FILE``; raises UsageError for anything else.

    Owner and repository are as Hugging Face allows them; revision and file hold no part that
    leads elsewhere, and nothing that is not printed.
    """
    match = _FORM.fullmatch(text)
    if match is not None:
        wanted = HubFile(match[1], unquote(match[3]), match[2])
        if _is_plain(wanted.file) and (wanted.revision is None or _is_plain(wanted.revision)):
            return wanted
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    raise UsageError(
        f"{shown!r} is not hf://OWNER/REPO/FILE or hf://OWNER/REPO@REVISION/FILE, for example "
        "hf://yunpengZhangup/locotrack-EfficientNet/b0.ckpt."
    )


def _is_plain(place: str) -> bool:
    """Whether it is a relative path of printed letters that stays where it begins."""
    segments = place.split("/")
    return (
        place.isprintable()
        and "\\" not in place
        and all(segment not in ("", ".", "..") for segment in segments)
        and all(len(segment.encode()) <= _SEGMENT_BYTES for segment in segments)
        and len(place) <= _LONGEST
    )
