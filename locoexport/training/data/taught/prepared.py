"""Lessons that lie in a folder already, told by everything that decides what is in them.

A teacher takes hours for what a run reads again each time it goes on. Names hold a digest, so that
nothing that was made from other weights, another clip or for another length is ever taken.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locoexport.errors import OutputError
from locoexport.machine.writing.output_files import sha256_of, whole_file

__all__ = ["Preparation", "Prepared"]

_VERSION = 1
"""Another one where lessons of the same origin would come out differently."""
_STEM = 40
"""Letters of a name; each may take four bytes, and a name may have 255."""


@dataclass(frozen=True)
class Prepared:
    """What was made of one file: ``windows`` were looked at, and ``files`` were kept of them.

    ``remarks`` is what a person should know of it, in the runs to come as in the first.
    """

    windows: int
    files: tuple[Path, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preparation:
    """The lessons of one file in a folder."""

    folder: Path
    stem: str
    digest: str

    @classmethod
    def of(cls, folder: Path, source: Path, *decides: str | int) -> Preparation:
        """Of ``source``, whose bytes and ``decides`` decide what the lessons are.

        The folder is made where there is none.

        Raises:
            OSError: the source cannot be read.
            OutputError: the folder cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make {folder}: {error.strerror or error}.") from error
        text = json.dumps([_VERSION, sha256_of(source), *decides])
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return cls(folder, source.stem[:_STEM], digest)

    @property
    def entropy(self) -> int:
        """A number of this preparation alone, for its random choices."""
        return int(self.digest, 16)

    def lesson(self, number: int, start: int) -> Path:
        """The file of the window from frame ``start`` of clip ``number``."""
        return self.folder / f"{self.stem}-{self.digest}-{number:05}-{start:06}.npz"

    def recall(self) -> Prepared | None:
        """What was made, where all of it is still there; None where it has to be made."""
        try:
            document = json.loads(self._record.read_text(encoding="utf-8"))
            files = tuple(self.folder / name for name in document["files"])
            windows, remarks = int(document["windows"]), tuple(map(str, document["remarks"]))
        except (OSError, ValueError, KeyError, TypeError):  # missing or damaged: it is made again
            return None
        if not all(file.is_file() for file in files):
            return None
        return Prepared(windows, files, remarks)

    def keep(self, windows: int, files: Sequence[Path], remarks: Sequence[str] = ()) -> Prepared:
        """Remember that all was made.

        Raises:
            OutputError: it cannot be written.
        """
        names = [file.name for file in files]
        document = {"windows": windows, "files": names, "remarks": list(remarks)}
        with whole_file(self._record) as draft:
            draft.write_text(json.dumps(document) + "\n", encoding="utf-8")
        return Prepared(windows, tuple(files), tuple(remarks))

    @property
    def _record(self) -> Path:
        return self.folder / f"{self.stem}-{self.digest}.json"
