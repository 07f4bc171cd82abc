"""Facts of weights and costs in a profile's TOML."""

import pytest

from locoexport.contract.profile import load_profile, profile_names
from locoexport.contract.published_weights import (
    OtherWeights,
    ProfileCost,
    PublishedFacts,
    parse_cost,
    parse_published_facts,
)

COST = {"parameters": 10, "file_bytes": 50, "gflop_24x64": 1}


def test_none_of_it_is_needed() -> None:
    assert parse_published_facts({"demo": "a.safetensors", "published": "hf://a/b"}) is None
    assert parse_cost({}) is None


def test_what_is_there_is_read() -> None:
    other = {"name": "theirs", "where": "there", "reports": "AJ 1", "reports_source": "paper"}
    facts = parse_published_facts({"licence": "MIT", "aliases": ["small"], "others": [other]})
    assert facts == PublishedFacts(
        licence="MIT",
        aliases=("small",),
        others=(OtherWeights("theirs", "there", None, "AJ 1", "paper"),),
    )
    assert parse_cost(COST) == ProfileCost(10, 50, 1.0)


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ({"licence": 1}, TypeError),
        ({"aliases": "small"}, TypeError),
        ({"aliases": [1]}, TypeError),
        ({"others": {}}, TypeError),
        ({"others": ["theirs"]}, TypeError),
        ({"others": [{"name": "theirs"}]}, KeyError),
        ({"others": [{"name": "a", "where": "b", "color": "c"}]}, ValueError),
    ],
)
def test_facts_of_other_kinds(table: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_published_facts(table)


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("parameters", True, TypeError),
        ("parameters", 1.5, TypeError),
        ("file_bytes", "1", TypeError),
        ("gflop_24x64", "1", TypeError),
        ("gflop_24x64", float("nan"), ValueError),
        ("gflop_24x64", float("inf"), ValueError),
        ("gflop_24x64", 10**400, OverflowError),
        ("parameters", 0, ValueError),
        ("file_bytes", -1, ValueError),
    ],
)
def test_costs_that_are_no_amounts(key: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_cost({**COST, key: value})


@pytest.mark.parametrize("missing", COST)
def test_costs_are_told_all_or_none(missing: str) -> None:
    with pytest.raises(KeyError):
        parse_cost({key: value for key, value in COST.items() if key != missing})


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_tells_its_cost_and_its_weights(name: str) -> None:
    profile = load_profile(name)
    assert profile.cost is not None
    facts = profile.published or PublishedFacts()
    for claim in (facts, *facts.others):
        # What is claimed has a source.
        assert (claim.reports is None) == (claim.reports_source is None)
