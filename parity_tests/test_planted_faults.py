"""A planted fault is named: the part of the model, the node, and what is wrong with it."""

import pytest
from localising import exported, localise_planted
from planting import change_operator, overflow_half, perturb, set_attribute, swap_inputs

MIXER = "torch_pips_mixer"

GATHER_FAULTS = {
    "backbone weight": (
        perturb("_blocks.2._project_conv.weight"),
        "backbone: block 2",
        "weight",
    ),
    "last block's weight": (
        perturb("_blocks.4._depthwise_conv.weight"),
        "backbone: block 4",
        "weight",
    ),
    "cost volume's convolution": (
        perturb("cost_conv.weight"),
        "cost volume: heatmap",
        "cost_conv.weight differs in 1 of 18 numbers",
    ),
    "resize with aligned corners": (
        set_attribute("/cost_volume/", "Resize", "coordinate_transformation_mode", "align_corners"),
        "cost volume: costs",
        "its coordinate_transformation_mode is align_corners",
    ),
    "occlusion's bias": (
        perturb("occ_linear.bias"),
        "cost volume: initial occlusion",
        "occ_linear.bias differs",
    ),
    "transformer weight": (
        perturb("layers.1.dense.0.bias", 20.0),
        "refinement 0: transformer layer 1",
        "layers.1.dense.0.bias differs",
    ),
    "output projection": (
        perturb("output_proj.bias"),
        "refinement 0: transformer output",
        "output_proj.bias differs in 1 of 84 numbers",
    ),
    "an update subtracted": (
        change_operator("/refinement_1/seam/tracks", "Sub"),
        "refinement 1: updated tracks",
        "it is a Sub where a fresh export has a Add",
    ),
    "swapped inputs": (
        swap_inputs("/refinement_2/seam/inputs", 0, 1),
        "refinement 2: transformer inputs",
        "its inputs are swapped",
    ),
    "overflow in half precision": (
        overflow_half(f"/refinement_0/{MIXER}/seam/changes", 1e6),
        "refinement 0: transformer output",
        "float16 ends at 65504",
    ),
}


@pytest.mark.parametrize("name", GATHER_FAULTS)
def test_faults_in_a_graph_without_gridsample(name: str) -> None:
    fault, seam, cause = GATHER_FAULTS[name]
    found = localise_planted("gather", fault)
    assert str(found.first.seam) == seam
    assert found.first.difference.expected != found.first.difference.found
    assert found.node is not None
    assert cause in " ".join(found.node.causes)
    assert found.missing == ()


PLANAR_FAULTS = {
    "query border": (
        set_attribute("/query_sampling/", "GridSample", "padding_mode", "zeros"),
        "query sampling: support, level hires",
        "its padding_mode is zeros where a fresh export has border",
        "query sampling",
    ),
    "neighbourhood border": (
        set_attribute("/refinement_0/correlation_lowres/", "GridSample", "padding_mode", "border"),
        "refinement 0: sampling, level lowres",
        "its padding_mode is border where a fresh export has zeros",
        "refinement 0: sampling",
    ),
    "aligned corners in the third refinement": (
        set_attribute("/refinement_2/correlation_highest/", "GridSample", "align_corners", 1),
        "refinement 2: sampling, level highest",
        "its align_corners is 1 where a fresh export has 0",
        "refinement 2: sampling",
    ),
    "query with aligned corners": (
        set_attribute("/query_sampling/", "GridSample", "align_corners", 1),
        "query sampling: support, level hires",
        "its align_corners is 1 where a fresh export has 0",
        "query sampling",
    ),
}


@pytest.mark.parametrize("name", PLANAR_FAULTS)
def test_faults_of_gridsample(name: str) -> None:
    fault, seam, cause, part = PLANAR_FAULTS[name]
    found = localise_planted("planar", fault)
    assert str(found.first.seam) == seam
    assert found.node is not None
    assert (found.node.op_type, found.node.part) == ("GridSample", part)
    assert cause in found.node.causes


def test_cmdtop() -> None:
    """Its weights are those of all refinements: the first that reads them is named."""
    found = localise_planted("gather", perturb("cmdtop.1.first.bias"))
    assert str(found.first.seam) == "refinement 0: correlation and cmdtop, level lowres"
    assert found.node is not None


@pytest.mark.parametrize("sampling", ["gather", "planar"])
def test_a_good_file_departs_nowhere(sampling: str) -> None:
    good = exported(sampling)
    found = good.localise(good.path)
    assert (found.first, found.node, found.missing) == (None, None, ())
    # 5 blocks, 3 grids, 3 supports, 5 of the cost volume, 4 x (6 + 1 + layers + 1 + 3)
    assert len(found.readings) > 60
