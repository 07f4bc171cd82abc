"""At which levels the JAX LocoTrack and the PyTorch one are the same function, and what else.

Source: github cvlab-kaist/locotrack, folders ``locotrack/`` and ``locotrack_pytorch/``.
"""

from __future__ import annotations

from locoexport.contract.checkpoint_settings import CheckpointSettings

__all__ = ["JAX_LEVEL_HW", "JAX_SETTINGS", "explain_levels", "settle_levels"]

JAX_LEVEL_HW = (256, 256)
"""JAX's initial resolution, which is its first level whatever is asked for."""
JAX_SETTINGS = CheckpointSettings(refinements=4, softmax_temperature=20.0, gelu="tanh")
"""What the JAX implementation has, and no option of it changes."""


def settle_levels(asked: CheckpointSettings) -> CheckpointSettings:
    """Settings for weights of JAX with one level of 256x256 where no other was asked for."""
    settled = asked.or_else(CheckpointSettings(resolution_hw=JAX_LEVEL_HW))
    assert settled.resolution_hw is not None
    return settled.or_else(CheckpointSettings(refinement_resolutions=(settled.resolution_hw,)))


def explain_levels(settled: CheckpointSettings) -> str | None:
    """How JAX's function differs from PyTorch's at these levels; None where it is the same."""
    levels = settled.refinement_resolutions or ()
    if settled.resolution_hw == JAX_LEVEL_HW and set(levels) == {JAX_LEVEL_HW}:
        return None
    said = settled.describe()
    return (
        f"With initial resolution {said['initial resolution']} and levels "
        f"{said['refinement resolutions']} "
        "JAX and PyTorch compute different functions. JAX always makes its first estimate at "
        "256x256, refines four times at each level, starts each level with the first estimate's "
        "occlusion, returns the mean over levels, and antialiases frames that it shrinks. PyTorch "
        "makes its first estimate at the first level, refines only at the last level, takes no "
        "mean and does not antialias."
    )
