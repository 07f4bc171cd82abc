"""Names of files and addresses of servers, told apart."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["file_address", "looks_like_url"]

# A Path makes one of two slashes. One letter alone is a drive of Windows.
_URL = re.compile(
    r"(https?|rtsps?|rtmp[a-z]{0,2}|rtp|udp|tcp|srt|ftps?|sftp|mms[ht]?|hls):/{1,2}[^/]", re.I
)


def file_address(path: Path) -> str:
    """A file for FFmpeg: by its absolute path, never a protocol, a pattern or an option."""
    return f"file:{os.path.abspath(path)}"


def looks_like_url(name: str | Path) -> bool:
    """Whether a name that no file has was meant as the address of a server."""
    return _URL.match(str(name)) is not None
