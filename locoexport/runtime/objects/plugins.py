"""Detectors and segmenters by name: those that come with the package, and other packages' own.

Another package offers one through an entry point; the group says what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from traceback import extract_tb
from typing import Any

from locoexport.errors import InputError, LocoExportError, UsageError, did_you_mean

__all__ = ["find_plugin", "plugin_names", "running_plugin"]


def plugin_names(group: str, built_in: Mapping[str, Any]) -> list[str]:
    """Every name there is on this machine, sorted. Nothing is imported."""
    return sorted({*built_in, *(entry.name for entry in entry_points(group=group))})


def find_plugin(group: str, name: str, built_in: Mapping[str, Any]) -> Any:
    """What stands behind a name; a built-in one is never replaced by another package's.

    Raises:
        UsageError: there is no such name, two packages offer it, or its package cannot be
            imported.
    """
    if name in built_in:
        return built_in[name]
    found = list(entry_points(group=group, name=name))
    if not found:
        raise UsageError(
            f"There is no {name!r} among {', '.join(plugin_names(group, built_in))}. A "
            f"package can add one through an entry point of the group {group}."
            + did_you_mean(name, plugin_names(group, built_in))
        )
    if len({entry.value for entry in found}) > 1:
        values = ", ".join(sorted(entry.value for entry in found))
        raise UsageError(f"Several packages offer {name!r} ({values}); uninstall all but one.")
    try:
        return found[0].load()
    except Exception as error:  # another package's code runs here
        raise UsageError(
            f"{name!r} ({found[0].value}) cannot be loaded: {_told(error)}."
        ) from error


@contextmanager
def running_plugin(plugin: Any) -> Iterator[None]:
    """What another package's code raises, as an error that names its file; ours is left alone.

    Raises:
        InputError: the plug-in raised anything but an error of ours.
    """
    module = getattr(plugin, "__module__", None) or type(plugin).__module__
    try:
        yield
    except LocoExportError:
        raise
    except Exception as error:
        if module.partition(".")[0] == __name__.partition(".")[0]:
            raise
        name = getattr(plugin, "__qualname__", None) or type(plugin).__qualname__
        raise InputError(f"The plug-in {module}.{name} failed: {_told(error)}.") from error


def _told(error: Exception) -> str:
    """What was raised, and in which line of which file."""
    frames = extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
