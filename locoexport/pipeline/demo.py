"""The browser page with a model in it: what has to be fetched, exported and made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from locoexport.demo.packages import fetch_packages, packages_in
from locoexport.demo.sample_clip import sample_clip
from locoexport.demo.site import Site, SiteClip, SiteModel, assemble_site
from locoexport.errors import ModelFileError
from locoexport.machine.writing.output_files import is_file
from locoexport.notices import Listener, Notice, ignore
from locoexport.pipeline.model_choice import find_model
from locoexport.runtime.live.session import open_live
from locoexport.runtime.session.opening import open_model
from locoexport.runtime.session.split_files import find_split_files, is_live_export
from locoexport.runtime.video.clips import VideoReader

__all__ = ["prepared_site"]


@contextmanager
def prepared_site(
    model: str | Path | None = None,
    *,
    video: str | Path | None = None,
    runtime: str | Path | None = None,
    notify: Listener = ignore,
) -> Iterator[Site]:
    """The page as a site; its files are there while the block runs.

    Args:
        model: an exported file, or any file of a split or live one; or a profile's name (see
            ``find_model``). None is the model that the package ships. Where a live export of the
            same name lies beside the file, the page has it for the camera.
        video: the clip that the page opens with. None is an excerpt of Big Buck Bunny.
        runtime: a folder with the page's npm packages (node_modules). None is the cache folder,
            filled from the npm registry where they do not lie there already.
        notify: is told of every step.

    Raises:
        ModelFileError, VideoError, UsageError: what was given cannot be used.
        PackageMissingError: a profile is named, and what exports it is not installed.
        MachineError: the packages cannot be downloaded.
    """
    if video is not None:
        VideoReader(Path(video))  # says what is wrong with it before anything is fetched
    site_model, live = _given_models(find_model(model, notify))
    if runtime is None:
        packages = fetch_packages(lambda text: notify(Notice(text)))
    else:
        packages = packages_in(Path(runtime))
    given = None if video is None else SiteClip(Path(video))
    with sample_clip() if given is None else nullcontext(given) as clip:
        yield assemble_site(site_model, packages, clip, live)


def _given_models(path: Path) -> tuple[SiteModel | None, SiteModel | None]:
    """For clips and for the camera: a live export is for the latter alone."""
    if is_live_export(path):
        return None, _live_model(path)
    split = find_split_files(path)
    stem = path.name.removesuffix(".onnx")
    if split is not None:
        stem = split["tracker"].name.removesuffix(".tracker.onnx")
    beside = path.with_name(f"{stem}.live.onnx")
    return _site_model(path), _live_model(beside) if is_file(beside) else None


def _live_model(path: Path) -> SiteModel:
    """A live export, after it was opened."""
    opened = open_live(path)
    if opened.fixed_points is not None:
        raise ModelFileError(
            f"{path} is fixed to {opened.fixed_points} points; points of the page come and go. "
            "Export it with --points dynamic."
        )
    files = {str(role): at for role, at in opened.paths.items()}
    return SiteModel(opened.path.name, files, opened.metadata.weights.seeded)


def _site_model(path: Path) -> SiteModel:
    """The model's files, after it was opened: a page should not be the first to find it broken."""
    opened = open_model(path, "cpu")
    if opened.signature.input_type != "float32":
        raise ModelFileError(
            f"{path} takes {opened.signature.input_type} frames of any size, which the page does "
            "not; export it with --input float32."
        )
    if opened.signature.fixed_batch not in (None, 1):
        raise ModelFileError(
            f"{path} is fixed to a batch of {opened.signature.fixed_batch} videos; the page "
            "tracks one at a time. Export it with --batch 1 or --batch dynamic."
        )
    split = find_split_files(path)
    files = {"whole": path} if split is None else {str(role): at for role, at in split.items()}
    metadata = opened.metadata
    return SiteModel(path.name, files, metadata.weights.seeded)
