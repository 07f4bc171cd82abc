"""Export profiles."""

from pathlib import Path

from locoexport.contract.profile import load_profile

SUFFIX = ".toml"


def read(path: Path) -> None:
    """What ``export --profile`` does with it."""
    load_profile(str(path))
