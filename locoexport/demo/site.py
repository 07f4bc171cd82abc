"""The files of the page and what lies beside them: by their place on the site."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from urllib.parse import quote

from locoexport.errors import OutputError
from locoexport.machine.writing.drafts import draft_folder, sweep
from locoexport.machine.writing.replacement import put_in_place

__all__ = [
    "PAGE_HEADERS",
    "Site",
    "SiteClip",
    "SiteModel",
    "assemble_site",
    "check_folder",
    "write_site",
]

PAGE_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; "
        "connect-src 'self'; style-src 'self'; img-src 'self' data:; media-src blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
"""Without the first two a browser gives a page no SharedArrayBuffer, and so one thread. The policy
is that of index.html, and besides no page may put this one into a frame."""

_PAGE = (".html", ".css", ".js", ".txt")
_SCHEMA = "locoexport.demo/1"
_README = """This folder is a web page made by `locoexport demo --export`. Put it on any web host.

It works as it is, with one thread. With these response headers on every file browsers give it
SharedArrayBuffer, and it uses all cores:

{headers}

Netlify and Cloudflare Pages read them from the file _headers. For nginx:

{nginx}

Browsers decode clips only on https pages and on localhost. Files ending in .js and .mjs must be
served as text/javascript, .wasm as application/wasm. Compression (gzip, brotli) makes the
WebAssembly file four times smaller on the way. Licences: licences.txt.
"""


@dataclass(frozen=True)
class SiteModel:
    """An exported file, or the three of a split or live export by part (``whole`` for the single
    one).

    ``seeded`` is True where its weights are the untrained ones.
    """

    name: str
    files: Mapping[str, Path]
    seeded: bool


@dataclass(frozen=True)
class SiteClip:
    """The clip that the page opens with.

    ``credit`` is shown beside it and names whose it is, where somebody has to be named.
    ``opening_frame`` is the frame that is shown first. ``example_points_yx`` are the points of that
    frame, in its pixels, that one click adds; without any that click adds a grid.
    """

    path: Path
    credit: str = ""
    opening_frame: int = 0
    example_points_yx: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Site:
    """Files on disk by their place on the site, and texts that are made for it."""

    files: Mapping[str, Path]
    texts: Mapping[str, str]

    @property
    def size_bytes(self) -> int:
        """Of all of it."""
        return sum(path.stat().st_size for path in self.files.values()) + sum(
            len(text.encode()) for text in self.texts.values()
        )


def assemble_site(
    model: SiteModel | None,
    packages: Mapping[str, Path],
    clip: SiteClip | None,
    live: SiteModel | None = None,
) -> Site:
    """The page, its packages, a model and a clip that it opens with, and a model for the camera."""
    with as_file(files("locoexport") / "web") as folder:
        paths = (path for path in sorted(folder.rglob("*")) if path.suffix in _PAGE)
        found = {path.relative_to(folder).as_posix(): path for path in paths}
    found |= packages
    document: dict[str, object] = {"schema": _SCHEMA, "model": None, "live": None, "clip": None}
    for key, each in (("model", model), ("live", live)):
        if each is not None:
            places = {part: f"{key}/{path.name}" for part, path in each.files.items()}
            found |= {places[part]: path for part, path in each.files.items()}
            files_at = {part: quote(place) for part, place in places.items()}
            document[key] = {"name": each.name, "seeded": each.seeded, "files": files_at}
    if clip is not None:
        name = clip.path.name
        found[f"clip/{name}"] = clip.path
        document["clip"] = {
            "name": name,
            "path": f"clip/{quote(name)}",
            "credit": clip.credit,
            "frame": clip.opening_frame,
            "points_yx": clip.example_points_yx,
        }
    return Site(found, {"site.json": json.dumps(document, indent=2) + "\n"})


def check_folder(folder: Path) -> None:
    """Check, before any work is done, that a new folder can be made.

    Raises:
        OutputError: it is there already, or the one around it is not.
    """
    if folder.exists():
        raise OutputError(f"{folder} exists already; name a folder that does not.")
    if not folder.parent.is_dir():
        raise OutputError(
            f"The folder {folder.parent} does not exist; make it first (mkdir -p {folder.parent})."
        )
    sweep(folder.parent)


def write_site(site: Site, folder: Path) -> None:
    """Write the site into a folder, which appears whole or not at all.

    Raises:
        OutputError: the folder is there already, or cannot be written.
    """
    check_folder(folder)
    try:
        with draft_folder(folder.parent) as drafts:
            draft = drafts / folder.name
            for place, source in site.files.items():
                (draft / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, draft / place)
            for place, text in {**site.texts, **_host_notes()}.items():
                (draft / place).write_text(text, encoding="utf-8")
            put_in_place(drafts, [(draft, folder)])
    except OSError as error:
        raise OutputError(f"Cannot write {folder}: {error.strerror or error}.") from error


def _host_notes() -> dict[str, str]:
    """What a host has to be told: for people, and in the form that some hosts read."""
    lines = [f"{name}: {value}" for name, value in PAGE_HEADERS.items()]
    nginx = [f'    add_header {name} "{value}" always;' for name, value in PAGE_HEADERS.items()]
    readme = _README.format(
        headers="\n".join(f"    {line}" for line in lines), nginx="\n".join(nginx)
    )
    return {
        "README.txt": readme,
        "_headers": "\n".join(["/*", *(f"  {line}" for line in lines)]) + "\n",
    }
