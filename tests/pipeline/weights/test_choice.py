"""Which profile and weights a command means."""

import pytest

from locoexport.contract.profile import demo_weights_path
from locoexport.errors import ProfileError
from locoexport.notices import ignore
from locoexport.pipeline.weights.choice import choose_model

WEIGHTS = str(demo_weights_path("b0-tiny.safetensors"))


def test_the_weights_tell_the_profile() -> None:
    profile, weights = choose_model(None, WEIGHTS, ignore)
    assert profile.name == "b0-tiny"
    assert str(weights) == WEIGHTS


def test_a_name_alone_keeps_the_profile_s_own_weights() -> None:
    profile, weights = choose_model("b5", None, ignore)
    assert (profile.name, weights) == ("b5", None)


def test_another_profile_than_the_weights_tell_is_refused() -> None:
    with pytest.raises(ProfileError, match="b0-tiny"):
        choose_model("b5", WEIGHTS, ignore)
