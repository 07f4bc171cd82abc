import os
from pathlib import Path

from locoexport.machine.writing.names import MOST_NAME_BYTES, fit_name


def test_a_name_that_fits_is_kept() -> None:
    assert fit_name("a" * 243, 12) == "a" * 243


def test_a_long_name_is_shortened_to_what_a_file_can_have(tmp_path: Path) -> None:
    for name in ("a" * 244, "長" * 82 + ".mp4", "é" * 200):
        short = fit_name(name, 12)
        assert len(os.fsencode(short)) <= MOST_NAME_BYTES - 12
        assert len(os.fsencode(short)) > MOST_NAME_BYTES - 12 - 4
        assert short[:50] == name[:50]
        (tmp_path / (short + ".tracked.mp4")).touch()


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert fit_name("a" * 250 + "1", 12) != fit_name("a" * 250 + "2", 12)
