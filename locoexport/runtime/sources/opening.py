"""Any source of frames opened: what a path stands for is told here, before a decoder sees it."""

from __future__ import annotations

import re
from pathlib import Path

from locoexport.errors import UsageError, VideoError
from locoexport.machine.writing.output_files import is_file
from locoexport.runtime.decoding.damage import OnDamage
from locoexport.runtime.sources.animations import animation_footage, animation_kind
from locoexport.runtime.sources.images import image_footage, is_pattern
from locoexport.runtime.sources.named import Camera, Images, StandardInput, Url
from locoexport.runtime.sources.stacks import warn_of_stacks
from locoexport.runtime.sources.streams import stdin_footage, url_footage
from locoexport.runtime.video.cameras import camera_footage
from locoexport.runtime.video.frame_source import Footage, FrameSource
from locoexport.runtime.video.selection import Selection
from locoexport.runtime.video.sources import Video, open_source

__all__ = ["NamedSource", "Source", "open_video"]

NamedSource = str | Path | Camera | Url | StandardInput | Images
"""What a name or a record stands for; all but arrays and iterators."""
Source = Video | Camera | Url | StandardInput | Images
"""All that ``open_video`` opens."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


def open_video(video: Source, selection: Selection | None = None) -> FrameSource:
    """A source of frames over anything that holds them.

    A name is that of a file where there is one, whatever is in it; else of a folder of images, of
    images by a pattern (``%05d.png``, ``*.png``), and never of a server: that is a ``Url``.

    Args:
        video: see ``Source``; ``-`` is stdin. An iterator, a camera, an address and stdin come
            once. A camera's bare index needs ``max_frames``, a ``Camera`` may go on for ever.
        selection: which part of it; None is all.

    Raises:
        VideoError: it cannot be read.
        UsageError: a camera without a limit or of no such index, or what is no video.
        PackageMissingError: a package is missing that reads this kind.
    """
    selection = selection or Selection()
    if isinstance(video, str | Path):
        footage = _footage_of_path(Path(video), selection.on_damage)
        if footage is None:
            source = open_source(video, selection)
            source.warnings += warn_of_stacks([Path(video)])
            return source
        _refuse_deinterlacing(selection)
        return FrameSource(footage, selection)
    if isinstance(video, Camera | Url | StandardInput | Images):
        _refuse_deinterlacing(selection)
        return FrameSource(_footage_of(video, selection.on_damage), selection)
    return open_source(video, selection)


def _refuse_deinterlacing(selection: Selection) -> None:
    if selection.deinterlace:
        raise UsageError("Only the frames of a clip that is a file can be deinterlaced.")


def _footage_of(video: Camera | Url | StandardInput | Images, on_damage: OnDamage) -> Footage:
    if isinstance(video, Camera):
        return camera_footage(video.index, video.stop)
    if isinstance(video, Url):
        return url_footage(video, on_damage)
    if isinstance(video, StandardInput):
        return stdin_footage(video, on_damage=on_damage)
    return image_footage(video.where, video.fps, on_damage)


def _footage_of_path(path: Path, on_damage: OnDamage) -> Footage | None:
    """Of what is no plain file; None for that, and for what is missing."""
    if is_file(path):
        kind = animation_kind(path)
        return None if kind is None else animation_footage(path, kind)
    if str(path) == "-":
        return stdin_footage(StandardInput(), on_damage=on_damage)
    address = _ADDRESS.match(str(path))
    if address is not None:
        raise VideoError(
            f"There is no file {address[1]}:... here. To read from a server, pass "
            "--url ADDRESS, or Url(ADDRESS) in Python."
        )
    if _is_folder(path) or is_pattern(path):
        return image_footage(path, on_damage=on_damage)
    return None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        raise UsageError(f"{str(path)[:80]!r} is not a name that a file can have.") from None
