"""What a clip's content is: the bytes of a file, or of the images that it stands for, in order."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

from locoexport.errors import VideoError
from locoexport.machine.writing.output_files import sha256_of
from locoexport.runtime.sources.images import find_images, stands_for_images

__all__ = ["clip_sha256", "fingerprint"]


def clip_sha256(clip: Path) -> str:
    """The SHA-256 of a file's bytes; of images that of their digests, in the order of frames.

    Raises:
        VideoError: it cannot be read, or stands for no images.
    """
    try:
        if not stands_for_images(clip):
            return sha256_of(clip)
        images, _ = find_images(clip)
        digests = "".join(f"{sha256_of(image)}\n" for image in images)
    except OSError as error:
        raise VideoError(f"Cannot read {clip}: {error.strerror or error}.") from error
    return hashlib.sha256(f"images\n{digests}".encode()).hexdigest()


def fingerprint(clip: Path) -> dict[str, int] | None:
    """Size and time of change, had without reading the clip; None where it is not there.

    Of images these are the sum and the latest, with how many there are and a sum of their names.
    """
    try:
        if not stands_for_images(clip):
            status = clip.stat()
            return {"size_bytes": status.st_size, "modified_ns": status.st_mtime_ns}
        images, _ = find_images(clip)
        statuses = [image.stat() for image in images]
    except (OSError, VideoError):
        return None
    return {
        "size_bytes": sum(status.st_size for status in statuses),
        "modified_ns": max(status.st_mtime_ns for status in statuses),
        "images": len(images),
        "names_crc32": zlib.crc32(
            "\n".join(image.name for image in images).encode(errors="replace")
        ),
    }
