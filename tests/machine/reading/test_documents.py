"""JSON and TOML from strangers: a document, or an error that names it."""

import pytest

from locoexport.errors import InputError, ModelFileError, ProfileError
from locoexport.machine.limits import NESTING, RECORD_BYTES, ROWS
from locoexport.machine.reading.documents import (
    parse_json,
    parse_toml,
    quote,
    read_at_most,
    read_json,
)


def test_a_document_of_the_largest_depth_is_read() -> None:
    document = parse_json("[" * 100 + "]" * 100, "x")
    for _ in range(99):
        (document,) = document
    assert document == []


@pytest.mark.parametrize(
    "text",
    [
        "[" * 101 + "]" * 101,
        '{"a":' * 101 + "1" + "}" * 101,
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        "9" * 5000,
        "",
        "{",
        b"\xff\xfe\xff",
        "[1,]",
    ],
)
def test_what_is_no_json_of_ours_is_told_by_name(text) -> None:
    with pytest.raises(ModelFileError, match=r"^key x (is not JSON|has 101 levels)"):
        parse_json(text, "key x", ModelFileError)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_what_is_not_finite_is_refused_where_that_is_asked_for(text) -> None:
    parse_json(text, "x")
    with pytest.raises(InputError, match="not a number of JSON"):
        parse_json(text, "x", finite=True)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 20_000 + "]" * 20_000,
        "x = " + "[" * 12_000,
        "a=" + "9" * 5000,
        ".".join("a" * 500) + "=1",
        "x = " + "{a=" * 150 + "1" + "}" * 150,
        "a=1\na=2",
    ],
)
def test_what_is_no_toml_of_ours_is_told_by_name(text) -> None:
    with pytest.raises(ProfileError, match=r"^p\.toml (is not valid TOML|has )"):
        parse_toml(text.encode(), "p.toml")
    with pytest.raises(ProfileError, match=r"^p\.toml is not valid TOML"):
        parse_toml(b"\xff", "p.toml")


def test_a_file_is_read_up_to_its_limit(tmp_path, monkeypatch) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(b"[" + b" " * 98 + b"]")
    monkeypatch.setenv(RECORD_BYTES.variable, "100")
    assert read_json(path, limit=RECORD_BYTES) == []
    monkeypatch.setenv(RECORD_BYTES.variable, "99")
    with pytest.raises(InputError, match=r"^it has 100 bytes, and at most 99"):
        read_at_most(path, RECORD_BYTES, "it")


def test_lists_are_counted_before_they_are_made(tmp_path, monkeypatch) -> None:
    path = tmp_path / "q.json"
    path.write_text('{"boxes": [[1], [2]]}')
    monkeypatch.setenv(ROWS.variable, "2")
    assert read_json(path, rows=ROWS) == {"boxes": [[1], [2]]}
    monkeypatch.setenv(ROWS.variable, "1")
    with pytest.raises(InputError, match="2 rows"):
        read_json(path, rows=ROWS)


def test_a_value_is_shown_short() -> None:
    assert quote("a") == "'a'"
    assert len(quote("a" * 5000)) == 81
    assert quote(10**5000) == "a int"
    nested: list = []
    for _ in range(5000):
        nested = [nested]
    assert quote(nested) == "a list"
    assert NESTING.value == 100
