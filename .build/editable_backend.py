"""setuptools' build backend, with editable installs that type checkers and editors can follow.

setuptools maps the packages of an editable install in an import hook, which no type checker
reads. Its ``compat`` mode puts the checkout on the path instead. That needs the links
``locoexport/models`` and ``locoexport/profiles``; where a checkout has no links, the hook stays.
"""

from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import (
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_LINKS = ("locoexport/models", "locoexport/profiles")


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 660; a mode that is asked for with ``--config-settings`` is left as it is."""
    return build_meta.build_editable(wheel_directory, _settled(config_settings), metadata_directory)


def get_requires_for_build_editable(config_settings=None):
    """PEP 660."""
    return build_meta.get_requires_for_build_editable(_settled(config_settings))


def prepare_metadata_for_build_editable(metadata_directory, config_settings=None):
    """PEP 660."""
    return build_meta.prepare_metadata_for_build_editable(
        metadata_directory, _settled(config_settings)
    )


def _settled(config_settings):
    settings = dict(config_settings or {})
    if "editable_mode" not in settings and all(Path(link).is_dir() for link in _LINKS):
        settings["editable_mode"] = "compat"
    return settings
