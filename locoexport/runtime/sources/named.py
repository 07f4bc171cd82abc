"""Sources that a path cannot name, as data: they are asked for explicitly, never guessed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from locoexport.errors import UsageError
from locoexport.runtime.video.cameras import check_camera

__all__ = ["Camera", "Images", "StandardInput", "Url", "is_live", "name_of", "stem_of"]

_SCHEMES = ("http", "https", "rtsp", "rtsps")


@dataclass(frozen=True)
class Camera:
    """A camera of this machine, until ``stop`` is set or as many frames as asked for are there."""

    index: int
    stop: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises UsageError where the index is none of a camera."""
        check_camera(self.index)


@dataclass(frozen=True)
class Url:
    """A stream or file of a server, connected to because somebody said so, until ``stop``."""

    address: str = field(repr=False)
    stop: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises UsageError where the address is of another kind."""
        try:
            parts = urlsplit(self.address)
            scheme, host, _ = parts.scheme.lower(), parts.hostname, parts.port
        except ValueError as error:
            raise UsageError(f"The address cannot be read: {error}.") from error
        if scheme not in _SCHEMES or not host:
            raise UsageError(
                f"An address begins with {', '.join(f'{scheme}://' for scheme in _SCHEMES)} and a "
                f"host; {self.shown!r} does not. Of a file, give its name as VIDEO."
            )

    @property
    def scheme(self) -> str:
        """``http``, ``https``, ``rtsp`` or ``rtsps``."""
        return urlsplit(self.address).scheme.lower()

    @property
    def shown(self) -> str:
        """The address without names, passwords and tokens, for messages and reports."""
        try:
            parts = urlsplit(self.address)
        except ValueError:
            return "it"
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=host, query="", fragment="").geturl()


@dataclass(frozen=True)
class StandardInput:
    """y4m, MPEG-TS or Matroska on stdin, until it ends or ``stop`` is set."""

    stop: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)


@dataclass(frozen=True)
class Images:
    """Numbered images: a folder, a pattern like ``f/%05d.png`` or a glob like ``f/*.png``.

    ``fps`` is their rate; None is 25, with a warning.
    """

    where: Path
    fps: float | None = None


def is_live(video: object) -> bool:
    """Whether it comes once, and may never end."""
    return isinstance(video, Camera | Url | StandardInput) or str(video) == "-"


def name_of(video: object) -> Path | str:
    """What a report calls a source: a path, or a name that holds no secret."""
    if isinstance(video, Camera):
        return f"camera {video.index}"
    if isinstance(video, Url):
        return video.shown
    if isinstance(video, StandardInput):
        return "stdin"
    return video.where if isinstance(video, Images) else Path(str(video))


def stem_of(video: object) -> str:
    """What files that come of a source are called by default, without a suffix."""
    if isinstance(video, Camera):
        return f"camera-{video.index}"
    if isinstance(video, Url):
        return Path(urlsplit(video.shown).path).stem or "stream"
    path = Path(name_of(video))
    if isinstance(video, Images):
        folder = path if path.is_dir() else path.parent
        return folder.resolve().name or "images"
    return path.stem
