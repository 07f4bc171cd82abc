"""Weights that a profile's TOML names: ``--checkpoint published``.

Where the TOML names a file, that is taken. Where it names a repository of Hugging Face alone, its
checkpoints are told apart by their state dicts: names decide what is looked at first, and nothing
else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locoexport.contract.profile import ExportProfile, load_profile, profile_names
from locoexport.errors import CheckpointError, UsageError
from locoexport.machine.installation import require_packages
from locoexport.machine.limits import DOWNLOAD_BYTES
from locoexport.machine.web_address import redact_address
from locoexport.notices import Listener, Notice, ignore
from locoexport.pipeline.weights.hub_file import (
    HubFile,
    HubRepository,
    is_plain_path,
    parse_hub_repository,
)
from locoexport.pipeline.weights.sources import find_checkpoint

__all__ = ["PUBLISHED", "find_weights"]

PUBLISHED = "published"
"""In the place of a checkpoint's source: the weights that the profile names."""

_SUFFIXES = (".ckpt", ".pt", ".pth", ".safetensors")
_BYTES_A_PARAMETER = 2
"""At the least: in float16, without an optimiser's state."""
_LOOKED_INTO = 16
"""Files that are downloaded to look into, of those whose names say as much, at the most."""
_NAMED = 8
"""Files that a message names, at the most."""


@dataclass(frozen=True)
class _Candidate:
    """A checkpoint of a repository; ``rank`` 0 to 2: how much its name says of the variant."""

    source: HubFile
    size_bytes: int | None
    rank: int


def find_weights(
    source: str | Path,
    profile: ExportProfile,
    notify: Listener = ignore,
    *,
    endpoint: str | None = None,
) -> Path:
    """The file of ``find_checkpoint``, and for ``published`` the one that the profile names.

    Raises:
        UsageError: the profile names no published weights, or several files there fit it.
        CheckpointError: no file there fits it; and as ``find_checkpoint``.
        UnreachableError, PackageMissingError: as ``find_checkpoint``.
    """
    if source != PUBLISHED:
        return find_checkpoint(source, notify, endpoint=endpoint)
    named = profile.published_weights
    if named is None:
        raise UsageError(_nothing_published(profile))
    repository = parse_hub_repository(named)
    if repository is None:
        notify(Notice(f"the weights that profile {profile.name} names: {redact_address(named)}"))
        return find_checkpoint(named, notify, endpoint=endpoint)
    return _choose(repository, profile, notify, endpoint)


def _nothing_published(profile: ExportProfile) -> str:
    known = [load_profile(name) for name in profile_names()]
    published = [other.name for other in known if other.published_weights is not None]
    shipped = [other.name for other in known if other.demo_weights is not None]
    if profile.demo_weights is not None:
        instead = (
            f"The package ships {profile.demo_weights} for it, which is taken where --checkpoint "
            "is left out."
        )
    else:
        instead = (
            "Pass --checkpoint FILE with weights of your own; the package ships weights for "
            f"{', '.join(shipped)}."
        )
    return (
        f"Profile {profile.name} names no published weights. {instead} Published weights are "
        f"known of {', '.join(published)} (locoexport profiles)."
    )


def _choose(
    repository: HubRepository, profile: ExportProfile, notify: Listener, endpoint: str | None
) -> Path:
    """The one checkpoint in the repository that holds the profile's variant."""
    require_packages("huggingface_hub", extra="download")
    from locoexport.pipeline.weights.hub import list_hub_files

    notify(Notice(f"looking for weights of {profile.variant} in {repository.address}"))
    listed = list_hub_files(repository, endpoint)
    candidates = [
        _Candidate(HubFile(repository, file.path), file.size_bytes, _rank(file.path, profile))
        for file in listed
        if file.path.lower().endswith(_SUFFIXES) and is_plain_path(file.path)
    ]
    if not candidates:
        raise CheckpointError(
            f"{repository.address} holds no checkpoint ({', '.join(_SUFFIXES)}). It holds "
            f"{_listing([repr(file.path)[:200] for file in listed])}."
        )
    told: dict[str, str] = {}
    for rank in range(3):
        looked_at = [entry for entry in candidates if entry.rank == rank]
        _refuse_too_many(looked_at, repository, profile)
        fitting = _fitting(looked_at, profile, told, notify, endpoint)
        if len(fitting) > 1:
            raise UsageError(_several(list(fitting), profile))
        for source, path in fitting.items():
            reason = _reason(source, rank, len(looked_at), profile.variant)
            notify(Notice(reason, warning=True))
            return path
    raise CheckpointError(
        f"{repository.address} holds no weights of {profile.variant}: "
        + _listing([f"{name} ({what})" for name, what in told.items()], "; ")
        + ". Pass --checkpoint FILE, or export the variant that is there."
    )


def _fitting(
    candidates: Sequence[_Candidate],
    profile: ExportProfile,
    told: dict[str, str],
    notify: Listener,
    endpoint: str | None,
) -> dict[HubFile, Path]:
    """Those that hold the variant; of the others, ``told`` then says what they are."""
    from locoexport.network.checkpoint import tell_variant
    from locoexport.network.loading import is_same_network

    fitting: dict[HubFile, Path] = {}
    for entry in candidates:
        if _is_too_small(entry.size_bytes, profile):
            told[entry.source.file] = "too small"
            continue
        path = find_checkpoint(entry.source.address, notify, endpoint=endpoint)
        try:
            variant = tell_variant(path)
        except CheckpointError:
            told[entry.source.file] = "no checkpoint that can be read"
            continue
        if variant is not None and is_same_network(variant, profile.variant):
            fitting[entry.source] = path
        else:
            told[entry.source.file] = f"{variant} weights" if variant else "another network"
    return fitting


def _is_too_small(size_bytes: int | None, profile: ExportProfile) -> bool:
    if size_bytes is None or profile.cost is None:
        return False
    return size_bytes < _BYTES_A_PARAMETER * profile.cost.parameters


def _refuse_too_many(
    candidates: Sequence[_Candidate], repository: HubRepository, profile: ExportProfile
) -> None:
    """Before they are downloaded: files whose names tell them no further apart, many or large."""
    worth = [entry for entry in candidates if not _is_too_small(entry.size_bytes, profile)]
    total = sum(entry.size_bytes or 0 for entry in worth)
    if len(worth) > _LOOKED_INTO or total > DOWNLOAD_BYTES.value:
        names = [f"--checkpoint {entry.source.address}" for entry in worth]
        raise UsageError(
            f"{len(worth)} files in {repository.address} may hold weights of {profile.variant}, "
            f"too many to download and look into ({total / 1e6:,.0f} MB). Pass one: "
            f"{_listing(names)}."
        )


def _several(fitting: Sequence[HubFile], profile: ExportProfile) -> str:
    choices = " or ".join(f"--checkpoint {source.address}" for source in fitting)
    return (
        f"{len(fitting)} files there hold weights of {profile.variant}, and it is unclear which "
        f"one you mean. Pass one of them: {choices}"
    )


def _reason(source: HubFile, rank: int, count: int, variant: str) -> str:
    why = (
        f"it is named after {variant}, and its state dict is that of {variant}",
        f"{variant} is in its name, and its state dict is that of {variant}",
        f"no file named after {variant} holds it, and of {count} others only this one does",
    )[rank]
    return f"Using {source.address}: {why}. To choose it yourself: --checkpoint {source.address}"


def _rank(path: str, profile: ExportProfile) -> int:
    """0: the file is named as the variant; 1: the variant's name is in its name; 2: neither."""
    stem = _words(path.rpartition("/")[2].rpartition(".")[0])
    names = [_words(profile.variant)]
    if profile.published is not None:
        names += [_words(alias) for alias in profile.published.aliases]
    if stem in names:
        return 0
    words = set(_words(path.rpartition(".")[0]))
    # b0-wide.ckpt has b0 in its name, and is of b0-wide.
    longer = [
        set(_words(other))
        for other in profile_names()
        if set(_words(other)) > set(_words(profile.variant))
    ]
    if any(other <= words for other in longer):
        return 2
    return 1 if any(set(name) <= words for name in names) else 2


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())


def _listing(names: Sequence[str], between: str = ", ") -> str:
    if not names:
        return "nothing"
    more = len(names) - _NAMED
    return between.join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
