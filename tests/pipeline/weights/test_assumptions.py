"""What nothing says of a checkpoint is told in one line, with what is known of its kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from locoexport.contract.checkpoint_settings import CheckpointSettings
from locoexport.contract.profile import load_profile
from locoexport.notices import Notice
from locoexport.pipeline.weights.assumptions import tell_assumptions

COMPLETE = CheckpointSettings((256, 256), ((256, 256),), 4, 20.0, "erf")


def told(profile: str, settings: CheckpointSettings, checkpoint: Path | None) -> list[Notice]:
    notices: list[Notice] = []
    asked = load_profile(profile).with_options(settings=settings)
    tell_assumptions(asked, checkpoint, notices.append)
    return notices


@pytest.mark.parametrize(
    ("settings", "checkpoint"), [(COMPLETE, Path("w.ckpt")), (CheckpointSettings(), None)]
)
def test_there_is_nothing_to_tell(settings: CheckpointSettings, checkpoint: Path | None) -> None:
    assert told("b0", settings, checkpoint) == []


def test_what_is_assumed_is_one_warning() -> None:
    (notice,) = told("resnet-small", CheckpointSettings(refinements=2), Path("folder/w.ckpt"))
    assert notice.warning
    assert notice.text.startswith(
        "w.ckpt does not record how it was trained; assumed: initial resolution 256x256, "
        "refinement resolutions 256x256, softmax temperature 20, GELU erf. If that is wrong,"
    )
    assert notice.text.endswith("or in w.ckpt.json next to it.")


@pytest.mark.parametrize(
    ("profile", "settings", "hinted"),
    [
        ("b0", CheckpointSettings(), True),
        ("b2", CheckpointSettings(), True),
        ("b0", CheckpointSettings(refinement_resolutions=((256, 256),)), False),
        ("b5", CheckpointSettings(), False),  # its initial resolution is 384x512
        ("resnet-base", CheckpointSettings(), False),
    ],
)
def test_levels_that_the_published_code_trains_with(
    profile: str, settings: CheckpointSettings, hinted: bool
) -> None:
    (notice,) = told(profile, settings, Path("w.ckpt"))
    assert notice.text.endswith("--refinement-resolutions 384x512.") == hinted
