"""The parser's errors as sentences."""

import pytest
import typer

from locoexport.cli.terminal.usage_errors import PARSER_ERRORS, usage_message
from locoexport.errors import did_you_mean


def test_the_base_of_the_parsers_errors() -> None:
    assert PARSER_ERRORS.__name__ == "ClickException"
    assert issubclass(typer.BadParameter, PARSER_ERRORS)


def test_line_breaks_and_the_checkers_name_are_left_out() -> None:
    error = typer.BadParameter("Value error, 'ofp' is not one of\n 'on', 'off'.")
    assert usage_message(error) == (
        "Invalid value: 'ofp' is not one of 'on', 'off'. Did you mean off?"
    )


NAMES = ("b0", "b0-tiny", "b5", "resnet-small")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("B5", " Did you mean b5?"),
        ("b55", " Did you mean b5?"),
        ("resnet_small", " Did you mean resnet-small?"),
        ("B0 tiny", " Did you mean b0-tiny?"),
        ("b9", ""),
        ("locotrack", ""),
        ("", ""),
    ],
)
def test_a_close_name(given: str, meant: str) -> None:
    assert did_you_mean(given, NAMES) == meant
