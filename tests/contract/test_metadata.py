"""What a file says of itself is read back as it was written, or refused."""

import json
import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locoexport.contract.metadata import ArtifactMetadata, CostStamp, ParityStamp, WeightsOrigin
from locoexport.contract.profile import IntegerForm
from locoexport.errors import ModelFileError

SHA256 = "0123456789abcdef" * 4
METADATA = ArtifactMetadata(
    version="0.1.0",
    profile="b5",
    variant="b5",
    resolution_hw=(384, 512),
    opset=17,
    precision="fp32",
    sampling="gather",
    rewrites=("batchnorm-folding", "live-outputs"),
    weights=WeightsOrigin("last.ckpt", SHA256),
    simplifier="onnxsim 0.8.1",
    torch_version="2.13.0+cpu",
    parity=ParityStamp(1.2e-4, 3.4e-5, ((1, 8, 20), (2, 3, 4))),
)

names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_. ", min_size=1)
file_names = st.text(min_size=1).filter(
    lambda name: name not in (".", "..") and not set(name) & set("/\\\0")
)
errors = st.floats(0, 1e300)
sizes = st.integers(1, 10**6)
stamps = st.builds(
    ParityStamp, errors, errors, st.lists(st.tuples(sizes, sizes, sizes)).map(tuple)
).map(lambda stamp: ParityStamp.parse(stamp.to_json()))
origins = st.one_of(
    st.just(WeightsOrigin(None, None)),
    st.builds(WeightsOrigin, file_names, st.just(SHA256), st.none() | st.text(min_size=1)),
)
metadata = st.builds(
    ArtifactMetadata,
    version=names,
    profile=names,
    variant=names,
    resolution_hw=st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    opset=st.integers(16, 20),
    precision=st.sampled_from(["fp32", "fp16", "int8"]),
    sampling=names,
    rewrites=st.lists(names).map(tuple),
    weights=origins,
    simplifier=st.text(),
    torch_version=st.text(),
    parity=st.none() | stamps,
    input_type=st.sampled_from(["float32", "uint8"]),
)


@given(metadata)
def test_metadata_round_trip(written: ArtifactMetadata) -> None:
    assert ArtifactMetadata.from_properties(written.to_properties()) == written


def test_properties_have_the_names_that_others_read() -> None:
    assert METADATA.to_properties() == {
        "locoexport.schema": "locoexport.artifact/1",
        "locoexport.version": "0.1.0",
        "locoexport.profile": "b5",
        "locoexport.variant": "b5",
        "locoexport.resolution": "384x512",
        "locoexport.opset": "17",
        "locoexport.precision": "fp32",
        "locoexport.sampling": "gather",
        "locoexport.target": "cpu",
        "locoexport.part": "whole",
        "locoexport.input": "float32",
        "locoexport.rewrites": "batchnorm-folding,live-outputs",
        "locoexport.weights": f"last.ckpt sha256:{SHA256}",
        "locoexport.simplifier": "onnxsim 0.8.1",
        "locoexport.torch": "2.13.0+cpu",
        "locoexport.initial_resolution": "384x512",
        "locoexport.refinement_resolutions": "384x512",
        "locoexport.refinements": "4",
        "locoexport.softmax_temperature": "20.0",
        "locoexport.gelu": "erf",
        "locoexport.parity": '{"tracks_px": 0.00012, "logits": 3.4e-05, '
        '"shapes_batch_frames_points": [[1, 8, 20], [2, 3, 4]], '
        '"apart_points": 0, "apart_px": 0.0}',
    }


def test_seeded_and_unverified_are_said_in_words() -> None:
    bare = replace(METADATA, weights=WeightsOrigin(None, None), parity=None)
    properties = bare.to_properties()
    assert properties["locoexport.weights"] == "seeded"
    assert properties["locoexport.parity"] == "unverified"
    assert bare.weights.seeded
    assert not METADATA.weights.seeded


def test_properties_of_others_are_ignored() -> None:
    properties = {"author": "x", "locoexport.later": "y"} | METADATA.to_properties()
    assert ArtifactMetadata.from_properties(properties) == METADATA


LATER = (
    *("locoexport.target", "locoexport.part", "locoexport.input"),
    *("locoexport.initial_resolution", "locoexport.refinement_resolutions"),
    *("locoexport.refinements", "locoexport.softmax_temperature", "locoexport.gelu"),
)


@pytest.mark.parametrize("name", [name for name in METADATA.to_properties() if name not in LATER])
def test_a_missing_property_is_refused(name: str) -> None:
    properties = METADATA.to_properties()
    del properties[name]
    with pytest.raises(ModelFileError, match="export"):
        ArtifactMetadata.from_properties(properties)


def test_a_file_of_before_is_whole_and_for_the_cpu() -> None:
    properties = METADATA.to_properties()
    for name in LATER:
        del properties[name]
    assert ArtifactMetadata.from_properties(properties).target == "cpu"
    assert ArtifactMetadata.from_properties(properties).part == "whole"
    assert ArtifactMetadata.from_properties(properties).input_type == "float32"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("schema", "locoexport.artifact/2", "schema is 'locoexport.artifact/2'"),
        ("opset", "seventeen", "damaged"),
        ("opset", "", "damaged"),
        ("resolution", "256", "resolution '256' is not HxW"),
        ("resolution", "256x", "is not HxW"),
        ("resolution", "-8x256", "is not HxW"),
        ("resolution", "256x256x3", "is not HxW"),
        ("resolution", "1000000x8", "is not HxW"),
        ("weights", "", "locoexport.weights is ''"),
        ("weights", "last.ckpt", "expected 'seeded' or"),
        ("weights", f"last.ckpt sha256:{SHA256[:-1]}", "expected 'seeded' or"),
        ("weights", f"last.ckpt sha256:{SHA256.upper()}", "expected 'seeded' or"),
        ("weights", f" sha256:{SHA256}", "expected 'seeded' or"),
        ("parity", "", "locoexport.parity cannot be read"),
        ("parity", "null", "locoexport.parity cannot be read"),
        ("parity", "[1, 2]", "locoexport.parity cannot be read"),
        ("parity", "{}", "locoexport.parity cannot be read"),
        ("parity", "[" * 60000, "locoexport.parity cannot be read"),
        ("parity", "[" * 100000, "Metadata locoexport.parity has 100,000 bytes"),
        ("parity", '{"tracks_px": 1e999}', "locoexport.parity cannot be read"),
        ("cost", "[" * 60000, "locoexport.cost cannot be read"),
        ("cost", "{}", "locoexport.cost cannot be read"),
        ("shape_ranges", "[" * 60000, "locoexport.shape_ranges is not JSON"),
        ("shape_ranges", "[[1,2,3],[1e999,1,1],[1,1,1]]", "locoexport.shape_ranges cannot be"),
        ("shape_ranges", "[[1,2,3],[1,2],[1,2,3]]", "locoexport.shape_ranges cannot be"),
        ("shape_ranges", "[[1,2,3],[1,2,3],[1,1,3]]", "are not in order"),
        ("shape_ranges", '["abc","abc","abc"]', "locoexport.shape_ranges cannot be"),
        ("shape_ranges", "5", "locoexport.shape_ranges cannot be"),
        ("resolution", "0x256", "is not HxW"),
        ("resolution", "4097x256", "is not HxW"),
        ("opset", "9" * 5000, "locoexport.opset is damaged"),
        ("opset", "١٧", "locoexport.opset is damaged"),
        ("precision", "fp4", "locoexport.precision is 'fp4'; this version knows fp32, fp16, int8"),
        ("target", "abacus", "locoexport.target is 'abacus'"),
        ("part", "evil", "locoexport.part is 'evil'"),
        ("input", "int64", "locoexport.input is 'int64'"),
        ("rewrites", "a," * 50000, "locoexport.rewrites has 100,000 bytes"),
        ("weights", f"/dev/zero sha256:{SHA256}", "expected 'seeded' or"),
        ("weights", f"../x sha256:{SHA256}", "expected 'seeded' or"),
        ("weights", f".. sha256:{SHA256}", "expected 'seeded' or"),
        ("weights", f"a\\b sha256:{SHA256}", "expected 'seeded' or"),
        ("weights", f"a\0b sha256:{SHA256}", "expected 'seeded' or"),
    ],
)
def test_a_malformed_property_is_refused(name: str, value: str, says: str) -> None:
    properties = METADATA.to_properties() | {f"locoexport.{name}": value}
    with pytest.raises(ModelFileError) as caught:
        ArtifactMetadata.from_properties(properties)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "part",
    [
        {"tracks_px": "far"},
        {"logits": None},
        {"shapes_batch_frames_points": [[1, 2]]},
        {"shapes_batch_frames_points": 3},
        {"shapes_batch_frames_points": [[math.inf, 1, 1]]},
        {"shapes_batch_frames_points": [[math.nan, 1, 1]]},
        {"shapes_batch_frames_points": [[0, 1, 1]]},
        {"shapes_batch_frames_points": [[True, 1, 1]]},
        {"shapes_batch_frames_points": [[[1], 1, 1]]},
        {"shapes_batch_frames_points": [[2**31, 1, 1]]},
        {"tracks_px": math.nan},
        {"tracks_px": math.inf},
        {"tracks_px": -1},
        {"tracks_px": "1"},
        {"tracks_px": True},
        {"tracks_px": 10**400},
        {"logits": -math.inf},
        {"apart_points": 1.5},
        {"apart_points": -1},
        {"apart_px": None},
    ],
)
def test_a_malformed_stamp_is_refused(part: dict[str, object]) -> None:
    document = json.loads(ParityStamp(0.0, 0.0, ()).to_json()) | part
    with pytest.raises(ModelFileError, match="parity cannot be read"):
        ParityStamp.parse(json.dumps(document))


COST = CostStamp(0.1, 0.2, 0.3, 0.01, -0.1, 0.1, "8 sequences", None, 0.25)


def test_a_cost_is_read_back() -> None:
    assert CostStamp.parse(COST.to_json()) == COST
    unknown = CostStamp.parse(replace(COST, p99_px=math.inf, limit_px=None).to_json())
    assert math.isnan(unknown.p99_px)
    assert unknown.limit_px is None


@pytest.mark.parametrize("name", ["p50_px", "p99_px", "max_px", "flip_share", "limit_px"])
@pytest.mark.parametrize("value", ["1", math.nan, math.inf, -1, True, [1], 10**400])
def test_a_limit_that_is_no_finite_number_is_refused(name: str, value: object) -> None:
    document = json.loads(COST.to_json()) | {name: value}
    with pytest.raises(ModelFileError, match=r"locoexport\.cost cannot be read"):
        CostStamp.parse(json.dumps(document))


def test_a_share_of_flips_is_a_share() -> None:
    for value in (None, 1.5):
        document = json.loads(COST.to_json()) | {"flip_share": value}
        with pytest.raises(ModelFileError, match="flip_share"):
            CostStamp.parse(json.dumps(document))


@given(st.dictionaries(st.sampled_from(list(METADATA.to_properties())), st.text()))
def test_whatever_the_properties_say_only_one_error_escapes(changes: dict[str, str]) -> None:
    try:
        read = ArtifactMetadata.from_properties(METADATA.to_properties() | changes)
    except ModelFileError:
        return
    assert ArtifactMetadata.from_properties(read.to_properties()) == read


@pytest.mark.parametrize(
    ("error", "stamped"),
    [
        (0.0, 0.0),
        (1.2e-4, 1.2e-4),
        (1.21e-4, 1.3e-4),
        (1.2000001e-4, 1.3e-4),
        (9.91e-5, 1e-4),
        (9.9e-5, 9.9e-5),
        (3.0, 3.0),
        (3.01, 3.1),
        (5e-324, 5e-324),
    ],
)
def test_stamps_are_rounded_up_to_two_digits(error: float, stamped: float) -> None:
    read = ParityStamp.parse(ParityStamp(error, error, ()).to_json())
    assert (read.tracks_px, read.logits) == (stamped, stamped)


@given(errors)
def test_stamps_are_never_below_the_error_and_at_most_a_tenth_above(error: float) -> None:
    stamp = ParityStamp.parse(ParityStamp(error, 0.0, ()).to_json())
    assert error <= stamp.tracks_px
    assert stamp.tracks_px <= error * 1.1 + 5e-323  # subnormals are coarse
    # Read and written again, the bytes stay.
    assert ParityStamp.parse(stamp.to_json()) == stamp


COST = CostStamp(7e-4, 0.0726, 0.66, 3e-4, 0.03, math.nan, "6 synthetic", None)


def test_the_cost_of_a_precision_round_trips() -> None:
    written = replace(METADATA, precision="fp16", cost=COST)
    properties = written.to_properties()
    assert json.loads(properties["locoexport.cost"])["pts_within_thresh_change"] is None
    found = ArtifactMetadata.from_properties(properties).cost
    assert found is not None
    assert (found.p99_px, found.calibration) == (0.0726, None)
    assert math.isnan(found.pts_within_thresh_change)
    assert "locoexport.cost" not in METADATA.to_properties()


@pytest.mark.parametrize("damaged", ["", "{}", "[]", "null", '{"p50_px": "x"}', "[" * 100_000])
def test_a_damaged_cost_is_refused(damaged: str) -> None:
    with pytest.raises(ModelFileError, match=r"locoexport\.cost cannot be read"):
        CostStamp.parse(damaged)


@pytest.mark.parametrize("bits", [7, 8])
def test_the_parts_of_an_int8_file(bits) -> None:
    form = IntegerForm(("transformer", "encoder"), bits)
    metadata = replace(METADATA, precision="int8", integer_form=form)
    properties = metadata.to_properties()
    assert properties["locoexport.int8_parts"] == "transformer,encoder"
    assert ArtifactMetadata.from_properties(properties) == metadata


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("int8_parts", "head", "'head' is no part that can be in 8 bits"),
        ("int8_parts", "", "'' is no part"),
        ("int8_weight_bits", "9", "int8_weight_bits cannot be read ('9' is not 7 or 8)"),
    ],
)
def test_damaged_parts_of_an_int8_file(key: str, value: str, says: str) -> None:
    metadata = replace(METADATA, precision="int8", integer_form=IntegerForm(("cmdtop",), 8))
    properties = metadata.to_properties() | {f"locoexport.{key}": value}
    with pytest.raises(ModelFileError, match=re.escape(says)):
        ArtifactMetadata.from_properties(properties)
    del properties[f"locoexport.{key}"]
    if key != "int8_parts":  # without the parts it is a file of an earlier version
        with pytest.raises(ModelFileError, match="int8_weight_bits"):
            ArtifactMetadata.from_properties(properties)
