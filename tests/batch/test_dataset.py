"""The Parquet dataset: what is in it, and that it can be read back as the tracks."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.dataset
import pyarrow.parquet
import pytest

from locoexport.batch import dataset
from locoexport.batch.dataset import ClipPicture, read_part, write_clip_table, write_part
from locoexport.errors import InputError
from locoexport.runtime.tracks.tracks import Tracks

PICTURE = ClipPicture((48, 64), Fraction(16, 11), (3, 4), deinterlaced=True)
SMALL = ClipPicture((1, 2))


def some_tracks(points: int, frames: int) -> Tracks:
    rng = np.random.default_rng(0)
    return Tracks(
        xy=rng.random((points, frames, 2), np.float32) * 100,
        visible=rng.random((points, frames)) < 0.5,
        confidence=rng.random((points, frames), np.float32),
        query_points=rng.random((points, 3), np.float32),
        fps=12.5,
        time_s=np.arange(frames) ** 2 / 12.5,
    )


@pytest.mark.parametrize("rows_a_group", [1 << 20, 25, 1])
def test_rows_are_the_tracks(rows_a_group: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(dataset, "_ROWS_A_GROUP", rows_a_group)
    tracks = some_tracks(7, 10)
    path = tmp_path / "a.parquet"
    write_part(path, "/clips/a.mp4", "abc", PICTURE, tracks)
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]
    table = pyarrow.parquet.read_table(path)
    column = {name: table[name].to_numpy() for name in table.column_names}
    assert column["clip"].tolist() == ["/clips/a.mp4"] * 70
    assert column["clip_id"].tolist() == ["abc"] * 70
    assert np.array_equal(column["point"].reshape(7, 10), np.arange(7)[:, None].repeat(10, 1))
    assert np.array_equal(column["frame"].reshape(7, 10), np.arange(10)[None].repeat(7, 0))
    for index, name in enumerate("xy"):
        assert np.array_equal(column[name].reshape(7, 10), tracks.xy[..., index])
    assert np.array_equal(column["visible"].reshape(7, 10), tracks.visible)
    assert np.array_equal(column["confidence"].reshape(7, 10), tracks.confidence)
    for index, name in enumerate("tyx"):
        asked = column[f"query_{name}"].reshape(7, 10)
        assert np.array_equal(asked, tracks.query_points[:, index, None].repeat(10, 1))
    assert np.array_equal(column["time_s"].reshape(7, 10), [np.arange(10) ** 2 / 12.5] * 7)
    assert [row["frame"] for row in table.to_pylist() if row["repeated"]] == [3, 4] * 7
    part = read_part(path)
    assert part is not None
    assert part.facts.picture == PICTURE
    assert (part.facts.points, part.facts.frames, part.facts.fps) == (7, 10, 12.5)
    assert (part.facts.clip, part.facts.picture.frame_hw) == ("/clips/a.mp4", (48, 64))


def test_the_same_tracks_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_part(tmp_path / name, "c", "id", SMALL, some_tracks(3, 4))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_clips_are_read_together_as_one_dataset(tmp_path: Path) -> None:
    for name in "ab":
        write_part(tmp_path / f"{name}.parquet", name, name, SMALL, some_tracks(3, 4))
    # Half-written files begin with a dot; readers leave those out.
    (tmp_path / ".c.0123456789ab.parquet").write_bytes(b"PAR1")
    table = pyarrow.dataset.dataset(tmp_path).to_table(filter=pyarrow.compute.field("clip") == "b")
    assert table.num_rows == 12


def test_other_files_are_no_parts(tmp_path: Path) -> None:
    assert read_part(tmp_path / "a.parquet") is None
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    write_clip_table(tmp_path / "b.parquet", [{"clip": "a", "points": 3}])
    for name in "ab":
        with pytest.raises(InputError, match="is not a file of this program"):
            read_part(tmp_path / f"{name}.parquet")


def test_the_list_of_clips_has_gaps(tmp_path: Path) -> None:
    write_clip_table(tmp_path / "a.parquet", [{"clip": "a", "points": 3}, {"clip": "b"}])
    rows = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [(row["clip"], row["points"], row["reason"]) for row in rows] == [
        ("a", 3, None),
        ("b", None, None),
    ]


def test_parts_of_earlier_versions_say_the_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_part(path, "c", "id", PICTURE, some_tracks(3, 5))
    table = pyarrow.parquet.read_table(path)
    said = json.loads(table.schema.metadata[dataset._FACTS])
    old = {name: said[name] for name in said if name not in NEW_FACTS}
    assert set(said) - set(old) == NEW_FACTS
    table = table.drop_columns(["time_s", "repeated", "warnings"])
    kept = {dataset._FACTS: json.dumps(old).encode()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(kept), path)
    part = read_part(path)
    assert part is not None
    assert part.facts.picture == ClipPicture((48, 64))
    for name, wrong in (
        *(("pixel_aspect", wrong) for wrong in ([1, 0], [1], 1.5, [1, True])),
        *(("frames_repeated", wrong) for wrong in ([5], [-1], 3, [1.0])),
        ("deinterlaced", 1),
    ):
        kept = {dataset._FACTS: json.dumps(said | {name: wrong}).encode()}
        pyarrow.parquet.write_table(table.replace_schema_metadata(kept), path)
        with pytest.raises(InputError, match="of the picture"):
            read_part(path)


NEW_FACTS = {"pixel_aspect", "frames_repeated", "deinterlaced", "warnings"}
