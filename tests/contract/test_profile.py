"""Profiles: those that ship, and what is refused in those that users write."""

from importlib.resources import files
from pathlib import Path

import pytest

from locoexport.contract.profile import (
    DEFAULT_PROFILE,
    OPSETS,
    AxisSizes,
    demo_weights_path,
    load_profile,
    parse_axis,
    parse_resolution,
    profile_names,
)
from locoexport.errors import ProfileError
from locoexport.models import locotrack

VALID = """\
variant = "b0"
resolution = [256, 320]
opset = 18
sampling = "planar"

[axes]
points = 64

[tolerance]
tracks_px = 4e-3
logits = 1
origin = "measured on a tortoise"

[weights]
published = "https://example.org/b0.ckpt"
"""


@pytest.fixture
def load(tmp_path: Path):
    """Load VALID with one piece of text replaced."""

    def load_changed(old: str = "", new: str = ""):
        assert old in VALID
        path = tmp_path / "mine.toml"
        path.write_text(VALID.replace(old, new, 1))
        return load_profile(str(path))

    return load_changed


def test_one_profile_ships_for_every_variant() -> None:
    assert sorted(profile_names()) == sorted(locotrack.VARIANTS)
    assert DEFAULT_PROFILE in profile_names()


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_fits_its_variant(name: str) -> None:
    profile = load_profile(name)
    assert (profile.name, profile.variant) == (name, name)
    assert profile.resolution_hw == locotrack.VARIANTS[name].resolution_hw
    assert (profile.opset, profile.axes) == (17, AxisSizes())
    assert 0 < profile.tolerance.tracks_px <= 4e-3
    assert 0 < profile.tolerance.logits <= 4e-3
    if profile.demo_weights is not None:
        assert demo_weights_path(profile.demo_weights).is_file()


def test_only_b0_tiny_ships_weights() -> None:
    with_weights = [name for name in profile_names() if load_profile(name).demo_weights]
    assert with_weights == ["b0-tiny"]


def test_a_profile_file_of_ones_own(load) -> None:
    profile = load()
    assert (profile.name, profile.variant) == ("mine", "b0")
    assert profile.resolution_hw == (256, 320)
    assert (profile.opset, profile.sampling) == (18, "planar")
    assert profile.axes == AxisSizes(points=64)
    assert (profile.tolerance.tracks_px, profile.tolerance.logits) == (4e-3, 1.0)
    assert profile.tolerance.origin == "measured on a tortoise"
    assert profile.demo_weights is None
    assert profile.published_weights == "https://example.org/b0.ckpt"
    assert load('variant = "b0"', 'variant = "b0"\nname = "other"').name == "other"


def test_tables_may_be_left_out(load) -> None:
    assert load("[axes]\npoints = 64\n").axes == AxisSizes()
    assert load('[weights]\npublished = "https://example.org/b0.ckpt"\n').published_weights is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("opset = 18", "opset = 15", "opset 15 is not supported; expected one of 16, 17, 18"),
        ("opset = 18", "opset = 21", "opset 21 is not supported"),
        ("opset = 18", 'opset = "18"', "'18' is not an integer"),
        ("opset = 18", "opset = true", "True is not an integer"),
        ("opset = 18", "", "KeyError('opset')"),
        ("[256, 320]", "[250, 320]", "resolution 250x320: both sides must be multiples of 8"),
        ("[256, 320]", "[0, 320]", "from 32 to 4096"),
        ("[256, 320]", "[256, 8192]", "from 32 to 4096"),
        ("[256, 320]", "[-256, 320]", "from 32 to 4096"),
        ("[256, 320]", "[256.0, 320]", "256.0 is not an integer"),
        ("[256, 320]", "[256]", "malformed"),
        ("[256, 320]", "256", "malformed"),
        ('"planar"', '"native"', "sampling 'native' is unknown; expected planar, gather"),
        ('"planar"', "4", "sampling 4 is unknown"),
        (
            "opset = 18",
            'opset = 18\ninput = "rgb"',
            "input 'rgb' is unknown; expected float32, uint8",
        ),
        ("points = 64", "points = 0", "--points '0': expected a positive number or 'dynamic'"),
        ("points = 64", "points = -1", "--points '-1'"),
        ("points = 64", "points = 2.5", "--points '2.5'"),
        ("points = 64", 'points = "many"', "--points 'many'"),
        ("points = 64", "point = 64", "[axes], has unknown keys point; known are batch, frames"),
        ("[axes]\npoints = 64", 'axes = "dynamic"', "axes is 'dynamic', not a table"),
        ("tracks_px = 4e-3", "tracks_px = 0", "Tolerances must be positive"),
        ("tracks_px = 4e-3", "tracks_px = -1.0", "Tolerances must be positive"),
        ("tracks_px = 4e-3", "tracks_px = nan", "Tolerances must be positive"),
        ("tracks_px = 4e-3", "tracks_px = inf", "Tolerances must be positive, finite"),
        ("tracks_px = 4e-3", "tracks_px = true", "True is not a number"),
        ("tracks_px = 4e-3", 'tracks_px = "4e-3"', "'4e-3' is not a number"),
        ("tracks_px = 4e-3", "", "KeyError('tracks_px')"),
        ('origin = "measured on a tortoise"', "", "KeyError('origin')"),
        ("tracks_px = 4e-3", "px = 4e-3", "[tolerance], has unknown keys px"),
        ("published =", "publish =", "[weights], has unknown keys publish; known are demo"),
        ('"https://example.org/b0.ckpt"', "3", "3 is not a text"),
        ("variant =", "varient =", "unknown keys varient; known are name, variant"),
        ("opset = 18", "opset 18", "is not valid TOML"),
        ("opset = 18", "opset = 18\nopset = 17", "is not valid TOML"),
    ],
)
def test_what_a_profile_may_not_say(old: str, new: str, says: str, load) -> None:
    with pytest.raises(ProfileError) as caught:
        load(old, new)
    assert says in str(caught.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"variant = '\xff'")
    with pytest.raises(ProfileError, match=r"a\.toml is not valid TOML"):
        load_profile(str(tmp_path / "a.toml"))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        ProfileError, match=r"no profile 'b9'; expected one of b0, b0-384, .*\.toml"
    ):
        load_profile("b9")


def test_files_that_cannot_be_there(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    for name in ("no.toml", "folder.toml", "n" * 300 + ".toml"):
        with pytest.raises(ProfileError, match="There is no profile file"):
            load_profile(str(tmp_path / name))


def test_options_override_and_are_checked() -> None:
    profile = load_profile("b0")
    assert profile.with_options() == profile
    changed = profile.with_options(
        opset=20, sampling="planar", resolution_hw=(64, 128), axes=AxisSizes(frames=8)
    )
    assert (changed.opset, changed.sampling, changed.resolution_hw) == (20, "planar", (64, 128))
    assert changed.axes == AxisSizes(None, 8, None)
    assert (changed.name, changed.tolerance) == (profile.name, profile.tolerance)
    for wrong in (
        {"opset": 15},
        {"sampling": "cubic"},
        {"resolution_hw": (63, 64)},
        {"axes": AxisSizes(batch=0)},
        {"input_type": "uint16"},
    ):
        with pytest.raises(ProfileError):
            profile.with_options(**wrong)


@pytest.mark.parametrize("opset", OPSETS)
def test_every_promised_opset_is_taken(opset: int) -> None:
    assert load_profile("b5").with_options(opset=opset).opset == opset


def test_resolutions_from_the_command_line() -> None:
    assert parse_resolution("384x512") == (384, 512)
    assert parse_resolution("64X32") == (64, 32)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "256",
        "256x",
        "x256",
        "256x256x3",
        "-8x8",
        "8.0x8",
        "٨x٨",
        "8 x8",
        "9" * 5000 + "x8",
    ],
)
def test_malformed_resolutions(text: str) -> None:
    with pytest.raises(ProfileError, match="is not HEIGHTxWIDTH, for example 256x256"):
        parse_resolution(text)


def test_axes_from_the_command_line() -> None:
    assert parse_axis("frames", "dynamic") is None
    assert parse_axis("frames", "24") == 24


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "Dynamic", "²", "٣", "1e3", "9" * 5000])
def test_malformed_axes(text: str) -> None:
    with pytest.raises(ProfileError, match=r"--points .*: expected a positive number or 'dynamic'"):
        parse_axis("points", text)


def test_limits_of_precision_and_ranges_of_shapes(load) -> None:
    assert load().precision == "fp32"
    assert load().precision_limits.of("fp32") == 0
    assert load().shape_ranges.frames == (1, 24, 48)
    tables = """[precision]
fp16_p99_px = 0.5
int8_p99_px = 3
origin = "measured on a hare"

[tensorrt]
frames = [2, 8, 16]

[weights]"""
    profile = load("[weights]", tables)
    limits = profile.precision_limits
    assert (limits.of("fp16"), limits.of("int8")) == (0.5, 3.0)
    assert limits.origin == "measured on a hare"
    assert profile.shape_ranges.frames == (2, 8, 16)
    assert profile.shape_ranges.points == (1, 64, 256)
    assert profile.with_options(precision="int8").precision == "int8"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[precision]\nfp16_p99_px = 0.5\n", "incomplete or malformed"),
        ('[precision]\nfp16_p99_px = 0\nint8_p99_px = 1\norigin = "x"\n', "must be positive"),
        ("[precision]\nfp8_p99_px = 1\n", "unknown keys fp8_p99_px"),
        ("[tensorrt]\nframes = [4, 2, 8]\n", "the smallest, the usual and the largest size"),
        ("[tensorrt]\nframes = [2, 8]\n", "is not a list of a smallest, a usual and a largest"),
        ("[tensorrt]\npoints = 64\n", "is not a list of a smallest, a usual and a largest"),
    ],
)
def test_malformed_limits_and_ranges(table: str, says: str, load) -> None:
    with pytest.raises(ProfileError, match=says):
        load("[weights]", f"{table}\n[weights]")


def test_a_precision_that_does_not_exist(load) -> None:
    with pytest.raises(ProfileError, match="precision 'fp8' is unknown; expected fp32, fp16, int8"):
        load().with_options(precision="fp8")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("opset = ", "opset = 9" + "9" * 4000 + " #"),
        ("opset = ", "opset = 1979-05-27 #"),
        ("resolution = [", "resolution = [9" + "9" * 4000 + ", 8] #"),
        ("tracks_px = ", "tracks_px = 9" + "9" * 4000 + " #"),
        ("tracks_px = ", "tracks_px = nan #"),
        ("tracks_px = ", "tracks_px = inf #"),
        ("sampling = ", "sampling = {a=1} #"),
        ("demo = ", 'demo = "/etc/passwd" #'),
        ("demo = ", 'demo = "../../x" #'),
        ("demo = ", 'demo = "\\u0000x" #'),
        ("demo = ", "demo = [1] #"),
        ("variant = ", "x = " + "[" * 9000 + "]" * 9000 + " #"),
        ("variant = ", "x = " + "9" * 5000 + " #"),
        ("variant = ", ".".join("a" * 2000) + " = 1 #"),
        ("variant = ", 'x = "' + "a" * 40_000 + '" #'),
    ],
)
def test_a_hostile_profile_ends_in_one_short_message(tmp_path, old: str, new: str) -> None:
    good = (files("locoexport.profiles") / "b0-tiny.toml").read_text(encoding="utf-8")
    assert old in good
    path = tmp_path / "p.toml"
    path.write_text(good.replace(old, new), encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        load_profile(str(path))
    assert len(str(caught.value)) < 1000
