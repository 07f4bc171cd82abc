"""What ``--data`` may say, and what it opens."""

import pickle
from pathlib import Path

import pytest
from annotated import make_clip
from rendered_records import TRAIN, encode_example, golden_arrays, scene_features, write_records

from locoexport.errors import InputError, UsageError
from locoexport.notices import Notice, ignore
from locoexport.training.data.opening import (
    DATA_KINDS,
    DataSettings,
    NamedData,
    open_sources,
    parse_data,
)
from locoexport.training.data.samples import SkippedCount
from locoexport.training.data.source import SampleWish


@pytest.mark.parametrize(
    ("text", "kind", "path", "weight"),
    [
        ("synthetic", "synthetic", None, 1),
        ("synthetic@0.5", "synthetic", None, 0.5),
        ("synthetic:pics", "synthetic", "pics", 1),
        ("movi-e:/data/movi", "movi-e", "/data/movi", 1),
        ("movi-e:/data/movi@3", "movi-e", "/data/movi", 3),
        ("clips:footage@1e-3", "clips", "footage", 0.001),
        ("clips:footage@.5", "clips", "footage", 0.5),
        # The last @ counts, and only before a number.
        ("clips:me@home", "clips", "me@home", 1),
        ("clips:me@home@2", "clips", "me@home", 2),
        ("clips:run@2@1", "clips", "run@2", 1),
        ("clips:run@2/day", "clips", "run@2/day", 1),
        ("clips:run@2\\day", "clips", "run@2\\day", 1),
        # A drive of Windows, and other colons, belong to the path.
        ("movi-e:C:\\data\\movi@2", "movi-e", "C:\\data\\movi", 2),
        ("clips:12:30", "clips", "12:30", 1),
        ("C:\\tapvid_davis.pkl", "tapvid", "C:\\tapvid_davis.pkl", 1),
        ("tapvid_davis.pkl@4", "tapvid", "tapvid_davis.pkl", 4),
        ("clips:a folder", "clips", "a folder", 1),
    ],
)
def test_what_a_source_is_called(text, kind, path, weight) -> None:
    expected = None if path is None else Path(path)
    assert parse_data(text) == NamedData(kind, expected, weight, text)


def test_a_path_that_exists_with_its_at_sign_is_meant(tmp_path) -> None:
    (tmp_path / "run@2").mkdir()
    text = f"clips:{tmp_path / 'run@2'}"
    assert parse_data(text) == NamedData("clips", tmp_path / "run@2", 1, text)
    # Where both exist, the weight is meant; @1 names the other.
    (tmp_path / "run").mkdir()
    assert parse_data(text) == NamedData("clips", tmp_path / "run", 2, text)
    assert parse_data(f"{text}@1").path == tmp_path / "run@2"


def test_a_folder_alone_is_tapvid_s(tmp_path) -> None:
    assert parse_data(str(tmp_path)) == NamedData("tapvid", tmp_path, 1, str(tmp_path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("movie:DIR", "Did you mean movi-e?"),
        ("Movi_E:DIR", "Did you mean movi-e?"),
        ("sythetic", "Did you mean synthetic?"),
        ("clip:DIR", "Did you mean clips?"),
        ("no-such-folder", "expected movi-e:DIR, synthetic, synthetic:DIR, clips:DIR or a .pkl"),
        ("", "expected movi-e:DIR"),
        ("@2", "expected movi-e:DIR"),
        ("movi-e", "write movi-e:DIR"),
        ("movi-e:", "write movi-e:DIR"),
        ("clips:@2", "write clips:DIR"),
        ("synthetic:", "write synthetic or synthetic:DIR"),
        ("synthetic@0", "the weight 0 is not a number above 0"),
        ("synthetic@-1", "the weight -1 is not"),
        ("clips:a@nan", "the weight nan is not"),
        ("clips:a@inf", "the weight inf is not"),
        ("clips:a@1e999", "the weight 1e999 is not"),
    ],
)
def test_what_names_no_source(text, says) -> None:
    with pytest.raises(UsageError) as caught:
        parse_data(text)
    assert str(caught.value).startswith(f"--data {text}: ")
    assert says in str(caught.value)


def test_every_kind_is_parsed() -> None:
    assert [parse_data(f"{kind}:x").kind for kind in DATA_KINDS] == list(DATA_KINDS)


@pytest.fixture
def settings(tmp_path) -> DataSettings:
    return DataSettings(seed=0, frames=4, lessons=tmp_path / "lessons")


def test_sources_of_every_kind_that_needs_no_teacher(tmp_path, settings) -> None:
    records = tmp_path / "records"
    shard = write_records(
        records / TRAIN.format(0, 1), [encode_example(scene_features(golden_arrays()))] * 2
    )
    shard.write_bytes(shard.read_bytes()[:-1])
    (tmp_path / "davis.pkl").write_bytes(pickle.dumps({"one": make_clip()}))
    texts = [f"movi-e:{records}@2", "synthetic", f"{tmp_path / 'davis.pkl'}@0.5"]
    said: list[Notice] = []
    sources = open_sources([parse_data(text) for text in texts], settings, said.append)
    assert [each.weight for each in sources] == [2, 1, 0.5]
    for each in sources:
        sample = each.source.sample(0, SampleWish(4, 3, (32, 32)))
        assert sample.video.shape == (4, 32, 32, 3)
    # The shard that is cut off is told of, and counted with its source.
    assert [notice.warning for notice in said] == [True]
    assert "record 1 (from byte" in said[0].text
    found = SkippedCount([skipped for each in sources for skipped in each.skipped])
    assert found.by_source == {f"movi-e:{records}": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("movi-e:none", "There is no folder none"),
        ("synthetic:none", "There is no folder none"),
        ("none.pkl", "--data none.pkl: there is no file none.pkl"),
    ],
)
def test_what_is_not_there(settings, text, says) -> None:
    with pytest.raises(InputError) as caught:
        open_sources([parse_data(text)], settings, ignore)
    assert says in str(caught.value)


def test_clips_need_a_teacher(settings) -> None:
    with pytest.raises(UsageError, match=r"--teacher MODEL\.onnx or --teacher demo"):
        open_sources([parse_data("clips:footage")], settings, ignore)


def test_nothing_is_no_source(settings) -> None:
    with pytest.raises(UsageError, match="nothing to learn from"):
        open_sources([], settings, ignore)
