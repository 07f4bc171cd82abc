"""A file on Hugging Face, as users name it; huggingface_hub is not needed to read the name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from locoexport.errors import UsageError

__all__ = ["HubFile", "parse_hub_file"]


@dataclass(frozen=True)
class HubFile:
    """A file in a repository of Hugging Face; ``revision`` None is its main branch."""

    repo: str
    file: str
    revision: str | None


def parse_hub_file(text: str) -> HubFile:
    """``hf://OWNER/REPO[@REVISION]/FILE``; raises UsageError for anything else."""
    match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@([^/]+))?/(\S+)", text)
    if match is None:
        raise UsageError(
            f"{text!r} is not hf://OWNER/REPO/FILE or hf://OWNER/REPO@REVISION/FILE, for example "
            "hf://yunpengZhangup/locotrack-EfficientNet/b0.ckpt."
        )
    return HubFile(match[1], unquote(match[3]), match[2])
