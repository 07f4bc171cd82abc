"""Which rewrites an export takes."""

import pytest

from locoexport.contract.profile import load_profile
from locoexport.errors import ProfileError, UsageError
from locoexport.rewrites import GRAPH_PASSES, REWRITES, select_passes, select_rewrites


def names(**options) -> list[str]:
    profile = load_profile("b0").with_options(**options)
    return [rewrite.name for rewrite in select_rewrites(profile)]


def test_the_default_takes_every_rewrite_of_its_sampling() -> None:
    due = [rewrite.name for rewrite in REWRITES if rewrite.sampling in (None, "gather")]
    assert names(input_type="uint8") == due
    assert names() == [name for name in due if name != "frame-gather"]
    assert "volumetric-planar" not in due


def test_planar_keeps_grid_sample_for_neighbourhoods() -> None:
    assert "neighbourhood-gather" not in names(sampling="planar")
    assert "volumetric-planar" in names(sampling="planar")


def test_a_rewrite_is_left_out_with_those_that_need_it() -> None:
    left = names(without=("correlation-products",))
    assert not {"correlation-products", "shared-correlation", "group-norm-products"} & set(left)
    assert "live-outputs" in left


def test_targets_other_than_the_cpu_leave_out_what_only_helps_there() -> None:
    assert not {"shared-correlation", "heatmap-columns"} & set(names(target="cuda"))
    assert "correlation-products" in names(target="cuda")
    with pytest.raises(ProfileError, match="target 'tpu' is unknown"):
        names(target="tpu")


def test_what_every_file_promises_cannot_be_switched_off() -> None:
    for name in ("volumetric-gather", "batchnorm-folding", "frame-gather"):
        with pytest.raises(UsageError, match="cannot be switched off"):
            names(without=(name,))


def test_unknown_names_are_told_the_known_ones() -> None:
    with pytest.raises(UsageError, match="correlation-products"):
        names(without=("corelation",))
    with pytest.raises(UsageError, match="frame-scan"):
        names(without=("scan",))


def test_frames_are_scanned_on_the_cpu_alone_and_can_be_left_flat() -> None:
    assert [graph_pass.name for graph_pass in GRAPH_PASSES] == ["frame-scan"]
    assert select_passes(load_profile("b0")) == ("frame-scan",)
    assert select_passes(load_profile("b0").with_options(target="tensorrt")) == ()
    assert select_passes(load_profile("b0").with_options(without=("frame-scan",))) == ()
