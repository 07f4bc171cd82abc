"""The table of profiles and what it says of their weights, at the width of a terminal."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from locoexport.contract.profile import ExportProfile, load_profile, profile_names
from locoexport.contract.published_weights import OtherWeights, ProfileCost, PublishedFacts
from locoexport.rendering.profiles import profiles_document, profiles_text


def shown(*profiles: ExportProfile, width: int = 80, verbose: bool = False) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(profiles_text(profiles, verbose=verbose))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def paragraphs(lines: list[str]) -> list[str]:
    return [" ".join(text.split()) for text in "\n".join(lines).split("\n\n")]


def test_the_shipped_ones_fit_a_terminal() -> None:
    profiles = list(map(load_profile, profile_names()))
    lines = shown(*profiles)
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines[1 : 1 + len(profiles)]]
    assert sorted(row[0] for row in rows) == sorted(profile_names())
    # The cheapest first; its trained weights are there.
    assert " ".join(rows[0]) == "b0-tiny 256x256 0.89 6.5 33 included"
    work = [float(row[4]) for row in rows]
    assert work == sorted(work)
    assert {row[0]: " ".join(row[5:]) for row in rows}["b5"] == "to download"
    told = paragraphs(lines)
    assert any(text.startswith("take b0-tiny first: trained weights are included") for text in told)
    assert any("work of one call (24 frames, 64 points)" in text for text in told)
    (fork,) = (text for text in told if "yunpengZhangup" in text)
    assert fork.startswith("b0, b0-mlp, effnet256, b0-wide, b0-384, b2, b0-proj-small")
    assert fork.endswith("licence not stated accuracy not stated")
    (base,) = (text for text in told if text.startswith("resnet-base "))
    assert "hf://datasets/hamacojr/LocoTrack-pytorch-weights/locotrack_base.ckpt" in base
    assert "67.8 / 79.6 / 89.9 strided, 63.0 / 75.3 / 87.2 first" in base
    assert "drive.google.com" not in base


def test_verbose_adds_weights_from_elsewhere_and_sources() -> None:
    text = " ".join(shown(load_profile("resnet-base"), verbose=True))
    assert "or        https://drive.google.com/file/d/1Rj7sIby_ylZkuy4pccAA28dtqvJQUH-A" in text
    assert "AnthroTAP's Anthro-LocoTrack-B" in text
    assert "arXiv 2407.15420" in text


def test_a_profile_of_which_nothing_is_known() -> None:
    bare = replace(load_profile("b0"), name="mine", published_weights=None, cost=None)
    lines = shown(bare)
    assert lines[1].split() == ["mine", "256x256", "-", "-", "-", "your", "own"]
    assert paragraphs(lines)[-1] == "mine weights none are known to be published"


def test_what_is_stated_and_what_is_not() -> None:
    other = OtherWeights("theirs", "on a disk", reports="AJ 1")
    facts = PublishedFacts(licence="MIT", others=(other,))
    profile = replace(load_profile("b0"), published=facts, cost=ProfileCost(1_234_567, 8, 9.6))
    lines = shown(profile, replace(profile, name="twin"), verbose=True)
    assert lines[1].split() == ["b0", "256x256", "1.23", "0.0", "10", "to", "download"]
    assert paragraphs(lines)[-1] == (
        "b0, twin weights hf://yunpengZhangup/locotrack-EfficientNet licence MIT accuracy not "
        "stated or on a disk theirs licence not stated accuracy AJ 1"
    )


def test_json_has_all_of_it() -> None:
    document = profiles_document([load_profile("resnet-small"), load_profile("b0-tiny")])
    small, tiny = document["profiles"]
    assert small["availability"] == "published"
    assert small["published_weights"].endswith("/LocoTrack-pytorch-weights/locotrack_small.ckpt")
    assert small["cost"] == {
        "parameters": 8_236_133,
        "file_bytes": 38_049_978,
        "gflop_24x64": 542.23,
    }
    assert small["published"]["reports"] == "TAP-Vid-DAVIS strided at 256x256: AJ 66.9"
    assert (tiny["availability"], tiny["published_weights"]) == ("shipped", None)
    assert (tiny["demo_weights"], tiny["name"]) == ("b0-tiny.safetensors", "b0-tiny")
