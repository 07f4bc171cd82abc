"""What a file says of itself, as text."""

from dataclasses import replace

from synthetic_tracker import synthetic_metadata

from locoexport.contract.metadata import WeightsOrigin
from locoexport.rendering.parts.metadata import short_weights, taken_frames

SHA256 = "0123456789ab" + "f" * 52


def test_seeded_weights_mean_nothing() -> None:
    assert short_weights(synthetic_metadata()) == "seeded (tracks mean nothing)"


def test_weights_are_a_file_and_the_first_twelve_digits() -> None:
    trained = replace(synthetic_metadata(), weights=WeightsOrigin("tiny.ckpt", SHA256))
    assert short_weights(trained) == "tiny.ckpt (sha256 0123456789ab...)"


def test_frames_that_are_taken_are_told_where_they_are_no_floats() -> None:
    assert taken_frames(synthetic_metadata()) == ""
    bytes_taken = synthetic_metadata(input_type="uint8")
    assert taken_frames(bytes_taken) == ", from uint8 frames of any size"
