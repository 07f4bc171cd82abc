"""The limits of this installation, whatever a file says of itself."""

from dataclasses import replace

import pytest
from synthetic_tracker import synthetic_metadata

from locoexport.contract.installed_limits import installed_limits
from locoexport.contract.profile import load_profile

METADATA = synthetic_metadata((24, 32), "float32")


def test_those_of_the_profile_that_the_file_names() -> None:
    profile = load_profile("resnet-base")
    named = replace(METADATA, profile="resnet-base", variant=profile.variant)
    limits = installed_limits(named)
    assert limits.tolerance == profile.tolerance
    assert limits.precision == profile.precision_limits


@pytest.mark.parametrize(
    ("profile", "variant"),
    [("my-own", "b0-tiny"), ("resnet-base", "b0-tiny"), ("my-own", "unknown"), ("../x", "b0")],
)
def test_a_name_that_is_not_shipped_or_of_another_variant(profile: str, variant: str) -> None:
    limits = installed_limits(replace(METADATA, profile=profile, variant=variant))
    assert (limits.tolerance.tracks_px, limits.tolerance.logits) == (4e-3, 4e-3)
    assert limits.precision.of("fp16") == 0.25
    assert limits.precision.of("int8") == 1.0
