"""How an overlay was made, as JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locoexport.pipeline.tracking.points import DrawnOverlay

__all__ = ["drawn_facts"]


def drawn_facts(drawn: DrawnOverlay | None) -> dict[str, Any]:
    """``overlay_scale`` and ``overlay_sound``: ``copied``, why it is left out, or None."""
    if drawn is None:
        return {"overlay_scale": None, "overlay_sound": None}
    sound = drawn.sound_left_out if drawn.sound is None else "copied"
    return {"overlay_scale": drawn.scale, "overlay_sound": sound}
