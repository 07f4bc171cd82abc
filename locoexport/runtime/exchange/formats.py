"""Files of other programs that hold tracks: one table of formats, found by name or suffix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from locoexport.errors import UsageError, did_you_mean
from locoexport.machine.writing.output_files import whole_file
from locoexport.runtime.exchange.annotation.coco import write_coco
from locoexport.runtime.exchange.annotation.cvat import write_cvat
from locoexport.runtime.exchange.annotation.fiftyone import write_fiftyone
from locoexport.runtime.exchange.annotation.label_studio import write_label_studio
from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.compositing.after_effects import write_after_effects
from locoexport.runtime.exchange.compositing.blender import write_blender
from locoexport.runtime.exchange.compositing.equalizer import write_equalizer
from locoexport.runtime.exchange.compositing.nuke import write_nuke
from locoexport.runtime.exchange.own import read_own, write_own
from locoexport.runtime.exchange.pose.deeplabcut import write_deeplabcut
from locoexport.runtime.exchange.pose.sleap import write_sleap
from locoexport.runtime.exchange.rerun import write_rerun
from locoexport.runtime.tracks.tracks import Tracks

__all__ = [
    "FORMATS",
    "TrackFormat",
    "check_facts",
    "check_format_of",
    "export_tracks",
    "find_format",
    "format_of_suffix",
]

Writer = Callable[[Tracks, Path, ClipFacts], None]
Reader = Callable[[Path, ClipFacts], Tracks]


@dataclass(frozen=True)
class TrackFormat:
    """One kind of file.

    Attributes:
        name: what ``--to`` calls it.
        title: whose file it is, for people.
        suffixes: endings of file names that tell it, in lower case; two formats never share one.
        write: writes a whole file at a path that is free; ``export_tracks`` gives it a draft.
        needs: the fields of ``ClipFacts`` that it cannot do without.
        read: reads such a file as tracks, where that can be done.
        shared: further endings, which tell nothing alone: other formats have them as well.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    write: Writer
    needs: tuple[str, ...] = ()
    read: Reader | None = None
    shared: tuple[str, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether it is a file of ours, which no other program is meant to read."""
        return self.write is write_own


_SIZE = ("width", "height")

FORMATS: tuple[TrackFormat, ...] = (
    TrackFormat("npz", "locoexport's .npz", (".npz",), write_own, (), read_own),
    TrackFormat("json", "locoexport's .json", (".json",), write_own, (), read_own),
    TrackFormat("csv", "locoexport's .csv", (".csv",), write_own, (), read_own),
    TrackFormat("nuke", "Nuke", (".nk",), write_nuke, _SIZE),
    TrackFormat("3de", "3DEqualizer", (".3de.txt",), write_equalizer, _SIZE, shared=(".txt",)),
    TrackFormat("blender", "Blender", (".py",), write_blender, _SIZE),
    TrackFormat(
        *("after-effects", "After Effects", (".ae.txt",), write_after_effects, (*_SIZE, "fps")),
        shared=(".txt",),
    ),
    TrackFormat("cvat", "CVAT", (".xml",), write_cvat, _SIZE),
    TrackFormat(
        *("label-studio", "Label Studio", (".labelstudio.json",), write_label_studio),
        *((*_SIZE, "fps"),),
        shared=(".json",),
    ),
    TrackFormat("coco", "COCO keypoints", (".coco.json",), write_coco, _SIZE, shared=(".json",)),
    TrackFormat(
        *("fiftyone", "FiftyOne", (".fiftyone.json",), write_fiftyone, _SIZE), shared=(".json",)
    ),
    TrackFormat("rerun", "Rerun", (".rrd",), write_rerun),
    TrackFormat("deeplabcut", "DeepLabCut", (".h5",), write_deeplabcut, shared=(".csv",)),
    TrackFormat("sleap", "SLEAP", (".slp", ".analysis.h5"), write_sleap, shared=(".h5",)),
)
"""All of them, in the order in which they are shown."""

_MENDED_BY = {
    "width": "--size HxW or --video CLIP",
    "height": "--size HxW or --video CLIP",
    "fps": "--fps N or --video CLIP",
    "file_name": "--video CLIP",
}


def format_of_suffix(path: str | Path) -> TrackFormat | None:
    """The format that a file's name tells, by the longest suffix that fits; None where none is."""
    name = Path(path).name.lower()
    fitting = [
        (len(suffix), each) for each in FORMATS for suffix in each.suffixes if name.endswith(suffix)
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def find_format(path: str | Path, name: str | None = None) -> TrackFormat:
    """The format of that name, or where none is given the one that the file's name tells.

    Raises:
        UsageError: there is no such format, the file's name tells none, or it tells another one.
    """
    told = format_of_suffix(path)
    if name is None:
        if told is None:
            raise UsageError(_untold(Path(path)))
        return told
    found = next((each for each in FORMATS if each.name == name.lower()), None)
    if found is None:
        raise UsageError(
            f"There is no format {name!r}; there are {', '.join(each.name for each in FORMATS)}."
            + did_you_mean(name, (each.name for each in FORMATS))
        )
    is_shared = Path(path).name.lower().endswith(found.shared)
    if told is not found and (found.is_own or (told is not None and not is_shared)):
        raise UsageError(
            f"{path}: a file for {found.title} is named {' or '.join(found.suffixes)}"
            + (f"; this is a name for {told.title}." if told is not None else ".")
        )
    return found


def _untold(path: Path) -> str:
    """What to say where a file's name tells no format."""
    fitting = [each for each in FORMATS if path.name.lower().endswith(each.shared)]
    if fitting:
        titles = " or ".join(each.title for each in fitting)
        names = " or ".join(f"--to {each.name}" for each in fitting)
        return f"{path} may be for {titles}; say {names}."
    known = ", ".join(f"{each.name} ({', '.join(each.suffixes)})" for each in FORMATS)
    return f"{path}: its suffix does not identify the format; pass --to with one of {known}."


def check_format_of(path: str | Path) -> Path:
    """Check, before any work is done, that a file's name tells a format.

    Raises:
        UsageError: it does not.
    """
    if format_of_suffix(path) is None:
        known = ", ".join(suffix for each in FORMATS for suffix in each.suffixes)
        raise UsageError(f"Tracks are written as {known}; {path} is none of these.")
    return Path(path)


def export_tracks(path: str | Path, tracks: Tracks, facts: ClipFacts, chosen: TrackFormat) -> None:
    """Write tracks as a file of another program; an existing file is replaced.

    Args:
        path: the file.
        tracks: pixels of the clip, pixel centres at .5, y down, frame 0 first.
        facts: of the clip.
        chosen: the format.

    Raises:
        UsageError: the format needs what nobody said of the clip.
        OutputError: the file cannot be written.
        PackageMissingError: the format is written by a package that is not installed.
    """
    check_facts(facts, chosen)
    with whole_file(Path(path)) as temporary:
        chosen.write(tracks, temporary, facts)


def check_facts(facts: ClipFacts, chosen: TrackFormat) -> None:
    """Raise UsageError where the format needs what nobody said of the clip."""
    for field in chosen.needs:
        if getattr(facts, field) is None:
            raise UsageError(
                f"Tracks for {chosen.title} need the clip's {field.replace('_', ' ')}, which "
                f"is not known: give {_MENDED_BY[field]}."
            )
