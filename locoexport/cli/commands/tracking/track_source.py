"""Which source ``locoexport track`` was given, and how Ctrl-C ends it. A part of that command."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from locoexport.batch.clips import find_clip_tree, find_source_tree
from locoexport.errors import StoppedError, UsageError, VideoError
from locoexport.machine.interruption import ending_softly
from locoexport.machine.writing.output_files import is_file
from locoexport.pipeline.tracking.objects import ObjectOutputs
from locoexport.runtime.sources.images import IMAGE_SUFFIXES, is_pattern
from locoexport.runtime.sources.named import Camera, Images, StandardInput, Url, stem_of
from locoexport.runtime.sources.opening import NamedSource
from locoexport.runtime.video.selection import check_fps

__all__ = ["choose_source", "ended_by_interrupt", "is_clip_folder", "named_outputs"]


def choose_source(
    video: Path | None, camera: int | None, url: str | None, fps: float | None
) -> NamedSource:
    """The one source that was named: a clip or folder of clips as its path, anything else as data.

    Raises:
        UsageError: none was named, or several, or a rate for what has its own. A folder of folders
            of images stays a path, and its rate is for ``TrackRequest``.
    """
    named = [name for name in (video, camera, url) if name is not None]
    if not named:
        raise UsageError(
            "Missing argument 'VIDEO': name a clip, a folder, images or - for stdin; or give "
            "--camera or --url."
        )
    if len(named) > 1:
        raise UsageError("Name one source: a VIDEO, --camera or --url.")
    source = _named(video, camera, url)
    if fps is None:
        return source
    check_fps(fps)
    if is_clip_folder(source) and _has_folders_of_images(Path(str(source))):
        return source
    if not isinstance(source, Images):
        raise UsageError("--fps is for images; a clip, a stream and a camera have their own rate.")
    return replace(source, fps=fps)


def _named(video: Path | None, camera: int | None, url: str | None) -> NamedSource:
    if camera is not None:
        return Camera(camera)
    if url is not None:
        return Url(url)
    assert video is not None
    if is_file(video):
        return video
    if str(video) == "-":
        return StandardInput()
    return Images(video) if _is_images(video) else video


def is_clip_folder(source: NamedSource) -> bool:
    """Whether it is a folder of clips, or of folders of images."""
    return isinstance(source, Path) and source.is_dir()


def named_outputs(outputs: ObjectOutputs, source: NamedSource) -> ObjectOutputs:
    """The outputs, where a folder was named for the overlay of images with a file in it."""
    if isinstance(source, Images) and outputs.overlay is not None and outputs.overlay.is_dir():
        return replace(outputs, overlay=outputs.overlay / f"{stem_of(source)}.tracked.mp4")
    return outputs


@contextmanager
def ended_by_interrupt(source: NamedSource) -> Iterator[None]:
    """A block in which the first Ctrl-C is the end of a camera, an address or stdin.

    Raises:
        StoppedError: it came before the first frame.
    """
    if not isinstance(source, Camera | Url | StandardInput):
        yield
        return
    # The source is stopped after any other failure too.
    interrupted = threading.Event()

    def end() -> None:
        interrupted.set()
        source.stop.set()

    with ending_softly(end):
        try:
            yield
        except VideoError as error:
            if interrupted.is_set():
                raise StoppedError(
                    "Interrupted before the first frame came; nothing is written."
                ) from error
            raise


def _has_folders_of_images(folder: Path) -> bool:
    try:
        return find_source_tree(folder, folder / ".left-out")[0].is_dir()
    except VideoError:
        return False


def _is_images(path: Path) -> bool:
    """Whether a name that is no file's stands for images. A folder with a clip in it, or in one of
    its folders, is one of clips; films that tracking wrote do not count.

    Raises:
        VideoError: a folder holds neither, or cannot be read.
    """
    if not path.is_dir():
        return is_pattern(path)
    problem: VideoError | None = None
    clips: list[Path] = []
    try:
        clips = find_clip_tree(path, path / ".left-out")
    except VideoError as error:
        problem = error
    if any(not clip.name.endswith(".tracked.mp4") for clip in clips):
        return False
    with suppress(OSError):  # which is the problem already
        if any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in path.iterdir()):
            return True
    if problem is not None:
        raise VideoError(f"{str(problem).rstrip('.')} and no image.") from problem
    return False
