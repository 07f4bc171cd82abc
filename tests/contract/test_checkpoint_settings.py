"""What no state dict says: read, checked, combined, and kept in metadata."""

from __future__ import annotations

from typing import Any

import pytest

from locoexport.contract.checkpoint_settings import (
    DEFAULT_SETTINGS,
    MOST_REFINEMENTS,
    NOTHING_SAID,
    CheckpointSettings,
    agree,
    from_properties,
    parse_levels,
    settings_in,
    to_properties,
)
from locoexport.errors import CheckpointError, ModelFileError, ProfileError
from locoexport.models.locotrack import VARIANTS, config

PUBLISHED = {
    "model_kwargs": {
        "model_size": "small",
        "num_pips_iter": 2,
        "softmax_temperature": 10,
        "initial_resolution": [384, 512],
    },
    "model_forward_kwargs": {
        "refinement_resolutions": ((256, 256), (320, 320), (384, 512)),
        "query_chunk_size": 256,
    },
    "lr": 1e-3,
}
COMPLETE = CheckpointSettings((256, 256), ((256, 256), (384, 512)), 2, 12.5, "tanh")


def test_arguments_of_the_published_code_are_read() -> None:
    """Of three levels the middle one is never computed."""
    assert settings_in(PUBLISHED, "x") == CheckpointSettings(
        (384, 512), ((256, 256), (384, 512)), 2, 10.0, None
    )


def test_our_own_keys_are_read_too() -> None:
    text = {"initial_resolution": "256x256", "refinement_resolutions": "384x512", "gelu": "tanh"}
    found = settings_in(text, "x")
    assert found == CheckpointSettings((256, 256), ((384, 512),), gelu="tanh")
    assert found.unsaid() == ("refinements", "softmax temperature")


@pytest.mark.parametrize(
    "document", [None, {}, [1], {"resolution": [9, 9]}, {"x": {"y": object()}}]
)
def test_documents_about_other_things_say_nothing(document: object) -> None:
    assert settings_in(document, "x") == NOTHING_SAID


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"num_pips_iter": 0}, "x: refinements is 0; expected a whole number from 1 to"),
        ({"num_pips_iter": True}, "x: refinements is True"),
        ({"num_pips_iter": 2.0}, "x: refinements is 2.0"),
        ({"refinements": MOST_REFINEMENTS + 1}, "from 1 to 32"),
        ({"softmax_temperature": 0.0}, "softmax temperature is 0.0; expected a number from"),
        ({"softmax_temperature": float("nan")}, "softmax temperature is nan"),
        ({"gelu": "fast"}, "x: GELU is 'fast'; expected erf or tanh"),
        ({"initial_resolution": [256]}, "x: initial_resolution is [256]; expected [HEIGHT, WIDTH]"),
        ({"initial_resolution": "wide"}, "'wide' is not HEIGHTxWIDTH"),
        ({"refinement_resolutions": []}, "x: refinement_resolutions is []"),
        ({"refinement_resolutions": 256}, "refinement_resolutions is 256; expected a list"),
        ({"extra_convs": True}, "extra_convs = True: that option of the published code"),
        ({"num_pips_iters": 2}, "x has a key 'num_pips_iters', which is unknown; did you mean"),
        ({"a": {"num_pips_iter": 2}, "refinements": 4}, "x contradicts itself: refinements is 2"),
    ],
)
def test_what_is_of_no_use_is_refused(document: dict[str, Any], says: str) -> None:
    with pytest.raises(ProfileError) as caught:
        settings_in(document, "x")
    assert says in str(caught.value)


def test_no_extra_convolutions_is_what_there_is() -> None:
    assert settings_in({"extra_convs": False}, "x") == NOTHING_SAID


def test_two_that_agree_are_both() -> None:
    asked = CheckpointSettings(refinements=2)
    said = CheckpointSettings(refinements=2, gelu="tanh")
    assert agree(asked, said, who="a", whose="b") == said


def test_two_that_contradict_are_named() -> None:
    asked, said = CheckpointSettings(refinements=4), CheckpointSettings(refinements=2)
    with pytest.raises(CheckpointError, match=r"^a says refinements 4, b 2\. "):
        agree(asked, said, who="a", whose="b", error=CheckpointError)


@pytest.mark.parametrize("text", ["384x512x3", "384", "", "64x64,96x96,128x128", "64x64,"])
def test_levels_are_one_or_two_sizes(text: str) -> None:
    with pytest.raises(ProfileError):
        parse_levels(text)


def test_properties_come_back() -> None:
    properties = to_properties(COMPLETE)
    assert properties["refinement_resolutions"] == "256x256,384x512"
    assert from_properties(properties, (384, 512)) == COMPLETE


def test_a_file_of_before_has_the_published_settings() -> None:
    assert from_properties({}, (256, 256)) == DEFAULT_SETTINGS


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("refinements", "four", "locoexport.refinements is damaged"),
        ("refinements", "0", "damaged (refinements is 0"),
        ("softmax_temperature", "nan", "damaged (softmax temperature is nan"),
        ("gelu", "sigmoid", "damaged (GELU is 'sigmoid'"),
        ("initial_resolution", "256", "locoexport.initial_resolution is damaged"),
        ("refinement_resolutions", "64x64", "contradicts itself: locoexport.resolution is 384x512"),
    ],
)
def test_damaged_metadata_are_refused(name: str, value: str, says: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        from_properties({**to_properties(COMPLETE), name: value}, (384, 512))
    assert says in str(caught.value)


def test_the_defaults_are_those_of_the_networks() -> None:
    """``models`` knows no other room, so that the figures stand there as well."""
    ours = DEFAULT_SETTINGS
    for variant in VARIANTS.values():
        assert variant.refinements == ours.refinements
        assert variant.softmax_temperature == ours.softmax_temperature
        assert variant.refinement_resolutions is None
    assert VARIANTS["b0"].gelu == ours.gelu
    assert config.MOST_REFINEMENTS == MOST_REFINEMENTS
