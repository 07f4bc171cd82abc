"""The clip that the page opens with: an excerpt of Big Buck Bunny, in the package.

(c) 2008 Blender Foundation, Creative Commons Attribution 3.0; big-buck-bunny.txt has the notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

from locoexport.demo.site import SiteClip

__all__ = ["sample_clip"]

_NAME = "big-buck-bunny.mp4"
_CREDIT = "Big Buck Bunny \N{COPYRIGHT SIGN} 2008 Blender Foundation, CC BY 3.0"
_OPENING_FRAME = 10
"""The rabbit stands still here: b0-tiny follows points of this frame to both ends of the clip. It
loses those of frame 0, in which the rabbit is leaping up."""
_EXAMPLE_YX = (
    *((60, 328), (120, 328), (120, 385)),  # the face
    *((160, 310), (160, 356), (160, 402)),
    *((y, x) for y in (220, 280, 340, 400) for x in (264, 310, 356, 402)),
    # What is around: stones, flowers, bark, leaves and grass, which the arms pass.
    *((262, 152), (378, 172), (185, 520), (310, 474), (70, 560), (480, 250), (480, 620)),
    *((245, 780), (340, 700)),
)


@contextmanager
def sample_clip() -> Iterator[SiteClip]:
    """The clip: 3.2 s of 960x540, H.264; its file is there while the block runs."""
    with as_file(files("locoexport.demo") / _NAME) as path:
        yield SiteClip(path, _CREDIT, _OPENING_FRAME, _EXAMPLE_YX)
