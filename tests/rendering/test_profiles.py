"""The table of profiles and what it says of their weights, at the width of a terminal."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from locoexport.contract.profile import ExportProfile, load_profile, profile_names
from locoexport.contract.published_weights import OtherWeights, ProfileCost, PublishedFacts
from locoexport.rendering.profiles import profiles_document, profiles_text


def shown(*profiles: ExportProfile, width: int = 80) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(profiles_text(profiles))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def paragraphs(lines: list[str]) -> list[str]:
    return [" ".join(text.split()) for text in "\n".join(lines).split("\n\n")]


def test_the_shipped_ones_fit_a_terminal() -> None:
    lines = shown(*map(load_profile, profile_names()))
    assert max(map(len, lines)) <= 80
    rows = {line.split()[0]: line.split() for line in lines[1 : 1 + len(profile_names())]}
    assert sorted(rows) == sorted(profile_names())
    expected = "b0-tiny 256x256 0.89 M 6.5 MB 33 17 shipped"
    assert rows["b0-tiny"] == expected.split()
    assert rows["b5"][-1] == "published"
    told = paragraphs(lines)
    assert any(text.startswith("GFLOP: one call of 24 frames, 64 points") for text in told)
    (fork,) = (text for text in told if "yunpengZhangup" in text)
    assert fork.startswith("b0, b0-384, b0-mlp, b0-proj-base, b0-proj-small, b0-wide, b2, b5, eff")
    assert fork.endswith("Licence and accuracy: not known here.")
    (base,) = (text for text in told if text.startswith("resnet-base "))
    assert "hf://datasets/hamacojr/LocoTrack-pytorch-weights/locotrack_base.ckpt" in base
    assert "67.8 / 79.6 / 89.9 strided, 63.0 / 75.3 / 87.2 first" in base
    assert "Elsewhere: AnthroTAP's Anthro-LocoTrack-B" in base
    assert "https://drive.google.com/file/d/1Rj7sIby_ylZkuy4pccAA28dtqvJQUH-A" in base


def test_a_profile_of_which_nothing_is_known() -> None:
    bare = replace(load_profile("b0"), name="mine", published_weights=None, cost=None)
    lines = shown(bare)
    assert lines[1].split() == ["mine", "256x256", "-", "-", "-", "17", "neither"]
    assert paragraphs(lines)[-1] == "mine No weights are shipped or known to be published."


def test_what_is_stated_and_what_is_not() -> None:
    other = OtherWeights("theirs", "on a disk", reports="AJ 1")
    facts = PublishedFacts(licence="MIT", others=(other,))
    profile = replace(load_profile("b0"), published=facts, cost=ProfileCost(1_234_567, 8, 9.6))
    lines = shown(profile, replace(profile, name="twin"))
    assert lines[1].split() == ["b0", "256x256", "1.23", "M", "0.0", "MB", "10", "17", "published"]
    assert paragraphs(lines)[-1] == (
        "b0, twin Published: hf://yunpengZhangup/locotrack-EfficientNet Licence: MIT. Accuracy: "
        "not known here. Elsewhere: theirs: on a disk Licence: not known here. Accuracy: AJ 1."
    )


def test_json_has_all_of_it() -> None:
    document = profiles_document([load_profile("resnet-small"), load_profile("b0-tiny")])
    small, tiny = document["profiles"]
    assert small["availability"] == "published"
    assert small["published_weights"].endswith("/LocoTrack-pytorch-weights/locotrack_small.ckpt")
    assert small["cost"] == {
        "parameters": 8_236_133,
        "file_bytes": 38_049_978,
        "gflop_24x64": 541.7,
    }
    assert small["published"]["reports"] == "TAP-Vid-DAVIS strided at 256x256: AJ 66.9"
    assert (tiny["availability"], tiny["published_weights"]) == ("shipped", None)
    assert (tiny["demo_weights"], tiny["name"]) == ("b0-tiny.safetensors", "b0-tiny")
