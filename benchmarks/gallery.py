"""The pictures of docs/gallery.md, made anew by the commands that the page itself shows.

``python benchmarks/gallery.py``, in the repository; needs ffmpeg, scikit-image and matplotlib, and
fetches the clip. The window and the page are pictures of a screen and are not made here.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "parity_tests"))

from clips import fetch_clips  # noqa: E402

PAGE = ROOT / "docs" / "gallery.md"
PICTURES = ROOT / "docs" / "gallery"
LARGEST_BYTES = 300_000


def main() -> None:
    """Run the page's blocks in order in a scratch folder, and keep the pictures it shows."""
    text = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        gather_sources(folder)
        blocks = re.findall(r"^```(sh|python)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
        for language, block in blocks:
            run(language, block, folder)
        PICTURES.mkdir(exist_ok=True)
        for name in dict.fromkeys(re.findall(r"\]\(gallery/([\w-]+\.webp)\)", text)):
            if (folder / name).exists():
                keep(folder / name)


def gather_sources(folder: Path) -> None:
    """The clip, the photographs, and a command ``locoexport`` of this Python."""
    clips = fetch_clips(ROOT / ".data" / "clips")
    shutil.copy(clips["bigbuckbunny.mp4"], folder / "bunny.mp4")
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise SystemExit("pip install scikit-image: two of the photographs are in its wheel.")
    for name in ("astronaut.png", "chelsea.png"):
        shutil.copy(Path(found.origin).parent / "data" / name, folder / name)
    command = folder / "bin" / "locoexport"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m locoexport "$@"\n')
    command.chmod(0o755)


def run(language: str, block: str, folder: Path) -> None:
    """Run one block of the page; ffmpeg says nothing and asks nothing."""
    sys.stdout.write(block)
    sys.stdout.flush()
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    if language == "python":
        command = [sys.executable, "-c", block]
    else:
        quiet = re.sub(r"^ffmpeg ", "ffmpeg -v error -y -nostdin ", block, flags=re.MULTILINE)
        command = ["bash", "-e", "-c", quiet]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def keep(picture: Path) -> None:
    """Copy a picture into the documentation unless it is too large for a page."""
    size = picture.stat().st_size
    if size > LARGEST_BYTES:
        raise SystemExit(f"{picture.name} has {size} bytes; at most {LARGEST_BYTES} are shown.")
    shutil.copy(picture, PICTURES / picture.name)
    sys.stdout.write(f"{PICTURES / picture.name}: {size} bytes\n")


if __name__ == "__main__":
    main()
