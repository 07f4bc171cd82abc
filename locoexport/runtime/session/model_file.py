"""An .onnx file's bytes, read once: what is hashed, what is opened, and its metadata.

A file may be replaced at any moment, as a redeploy does. So its bytes are read once, and whatever
is said of the file (its SHA-256, its metadata, the name of its optimised form) is of the very bytes
that are opened. Neither the onnx package nor ONNX Runtime is needed to read them.

A file may keep its weights in others beside it. ONNX Runtime opens none of them that is a link, as
all are in Hugging Face's cache: then model and data are opened from a folder of our own, where each
has a second name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from locoexport.contract.profile import profile_names
from locoexport.errors import ModelFileError
from locoexport.machine.installation import cache_path
from locoexport.machine.reading.linked_files import data_folder, find_file
from locoexport.machine.reading.onnx_message import external_locations
from locoexport.machine.reading.wire_format import read_fields
from locoexport.machine.writing.drafts import draft_folder
from locoexport.machine.writing.output_files import is_file, link_or_copy

__all__ = ["ModelFile", "openable", "read_metadata", "read_model_file"]

# Field numbers of onnx.proto.
_MODEL_PROPERTIES = 14
_KEY, _VALUE = 1, 2
# A key "location" of a tensor's external data: such a model is more than its own bytes.
_EXTERNAL_DATA = b"\n\x08location"
# Protobuf messages end at 2 GiB.
_LARGEST_MESSAGE = (1 << 31) - 1


@dataclass(frozen=True)
class ModelFile:
    """The bytes of an .onnx file.

    Attributes:
        path: where they were read.
        data: the bytes; None where the file keeps tensors in other files beside it, or is larger
            than a protobuf message can be. Then ONNX Runtime has to open it by its path.
        sha256: of the bytes, in lower-case hex; not of other files beside it.
        size_bytes: of the file.
    """

    path: Path
    data: bytes | None
    sha256: str
    size_bytes: int
    _status: tuple[int, int, int]

    @property
    def source(self) -> bytes | str:
        """What a session is made of: the bytes, or the path where they are not all."""
        return str(self.path) if self.data is None else self.data

    def check_unchanged(self) -> None:
        """Check that a file which was opened by its path is still the one that was hashed.

        Raises:
            ModelFileError: it was replaced or changed meanwhile.
        """
        if self.data is None and _status(self.path) != self._status:
            raise ModelFileError(f"{self.path} was replaced while it was opened; try again.")


def read_model_file(path: Path) -> ModelFile:
    """Read an .onnx file.

    Raises:
        ModelFileError: it is missing or cannot be read.
    """
    if not is_file(path):
        hint = ""
        if str(path) in profile_names():
            hint = f" `locoexport export --backbone {path}` makes one of the profile {path}."
        raise ModelFileError(f"There is no model file {path}.{hint}")
    try:
        status = _status(path)
        if status[1] > _LARGEST_MESSAGE:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            return ModelFile(path, None, digest, status[1], status)
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"Cannot read {path}: {error.strerror or error}.") from error
    digest = hashlib.sha256(data).hexdigest()
    whole = None if _EXTERNAL_DATA in data else data
    return ModelFile(path, whole, digest, len(data), status)


@contextmanager
def openable(file: ModelFile) -> Iterator[ModelFile]:
    """The file as ONNX Runtime can open it, while it is opened.

    Raises:
        ModelFileError: a file beside it is missing, or is a link that leads to what the model has
            no claim to.
        OutputError: the folder with second names cannot be made.
    """
    if file.data is not None or file.size_bytes > _LARGEST_MESSAGE:
        yield file
        return
    try:
        data = memoryview(file.path.read_bytes())
        locations = external_locations(data)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{file.path} is not an ONNX file ({error}).") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise ModelFileError(f"{file.path} was replaced while it was opened; try again.")
    home = data_folder(file.path, locations)
    found = {location: find_file(home, location) for location in locations}
    if home == file.path.parent and not any(_is_link(home / location) for location in locations):
        yield file
        return
    cache = cache_path()
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with draft_folder(cache) as folder:
        for location, source in found.items():
            (folder / location).parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(source, folder / location)
        again = folder / "model.onnx"
        again.write_bytes(data)
        yield replace(file, path=again, _status=_status(again))


def read_metadata(data: bytes) -> dict[str, str]:
    """Metadata properties by key, in order; empty where there are none.

    An ONNX file is a protobuf message (``ModelProto``); its field 14 are the properties, each a
    message of a key (1) and a value (2).

    Raises:
        ValueError: the bytes are not a protobuf message.
    """
    properties: dict[str, str] = {}
    for number, value in read_fields(memoryview(data)):
        if number == _MODEL_PROPERTIES and isinstance(value, memoryview):
            entry = dict(_texts(value))
            properties[entry.get(_KEY, "")] = entry.get(_VALUE, "")
    return properties


def _texts(message: memoryview) -> Iterator[tuple[int, str]]:
    for number, value in read_fields(message):
        if isinstance(value, memoryview):
            yield number, bytes(value).decode()


def _is_link(path: Path) -> bool:
    return os.path.realpath(path) != os.path.join(os.path.realpath(path.parent), path.name)


def _status(path: Path) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns
