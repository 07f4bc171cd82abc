"""What a checkpoint file asks for, found before torch reads it.

``torch.load`` runs no code of a file, but believes its numbers: it hashes whatever is a key,
unpacks whatever is packed, sets aside the memory that a tensor says it has, and sets attributes
by the names that a file gives. Here the pickle is played through with stand-ins, and refused where
a call would do more than to make the tensors and plain values whose bytes are in the file.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from locoexport.errors import CheckpointError, InputError
from locoexport.machine.limits import CHECKPOINT_HEADER_BYTES, CHECKPOINT_TENSORS
from locoexport.machine.reading.pickles.pickle_reading import MalformedPickleError, shown
from locoexport.network.checkpoint_pickle import CheckpointReader

__all__ = ["check_checkpoint"]

_ZIP, _LEGACY_MAGIC, _LEGACY_PROTOCOL = b"PK\x03\x04", 0x1950A86A20F9469CFC6C, 1001
_END_RECORD, _LOCATOR, _ZIP64_RECORD = "<4s4H2LH", "<4sLQL", "<4sQ2H2L4Q"
_FREE_BYTES = 64 << 20  # that an archive may unpack to, however small it is
_NAMES_BESIDE = 16  # members of an archive that hold no tensor


def check_checkpoint(path: Path) -> None:
    """Refuse a checkpoint that asks for more than its bytes hold, or for what could do harm.

    A file that is not there is left to whoever reads it.

    Raises:
        CheckpointError: it is malformed, names code, or asks for too much memory or time.
    """
    if not os.path.isfile(path):
        return
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if path.suffix == ".safetensors":
                _check_header(path, file, size)
                return
            start = file.read(len(_ZIP))
            file.seek(0)
            if start == _ZIP:
                _check_archive(path, file, size)
            else:
                _check_legacy(file, size)
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {error.strerror or error}.") from error
    except MalformedPickleError as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({error}): it may be truncated or of another "
            "format. Expected .ckpt, .pt, .pth or .safetensors; download or copy it again."
        ) from error
    except CheckpointError:
        raise
    except InputError as error:
        raise CheckpointError(
            f"{path} was refused: {str(error).rstrip('.')}. Re-save its state dict as .safetensors "
            "where you trust it."
        ) from error


def _check_header(path: Path, file: BinaryIO, size: int) -> None:
    """The header of a .safetensors file, whose length its first eight bytes tell."""
    start = file.read(8)
    if len(start) == 8:
        (length,) = struct.unpack("<Q", start)
        CHECKPOINT_HEADER_BYTES.check(min(length, size), path, CheckpointError)


def _check_legacy(file: BinaryIO, size: int) -> None:
    """Three pickles that tell the format, one that holds the document, one that lists storages."""
    head = [CheckpointReader(file, size - file.tell()).load() for _ in range(2)]
    if head != [_LEGACY_MAGIC, _LEGACY_PROTOCOL]:
        raise MalformedPickleError("its first bytes match no format that torch writes")
    for _ in range(3):
        CheckpointReader(file, size - file.tell(), storages=size).check()


def _check_archive(path: Path, file: BinaryIO, size: int) -> None:
    _check_directory(path, file, size)
    try:
        with zipfile.ZipFile(file) as archive:
            members = _sizes_of(path, archive.infolist(), size)
            data = archive.read(members.pickle)
    except InputError:
        raise
    except Exception as error:  # the zip reader's, of whatever kind
        raise MalformedPickleError(shown(str(error) or type(error).__name__)) from error
    CheckpointReader(io.BytesIO(data), len(data), members=members.sizes).check()


def _check_directory(path: Path, file: BinaryIO, size: int) -> None:
    """The list of members is short, and at the end, so that no two readers take another for it."""
    end, locator = struct.calcsize(_END_RECORD), struct.calcsize(_LOCATOR)
    file.seek(max(0, size - end - locator))
    tail = file.read()
    if len(tail) < end + locator or tail[-end:][:4] != b"PK\x05\x06" or tail[-2:] != b"\0\0":
        raise MalformedPickleError("its archive does not end as torch writes it")
    length = struct.unpack(_END_RECORD, tail[-end:])[5]
    signature, _, place, _ = struct.unpack(_LOCATOR, tail[:locator])
    if signature == b"PK\x06\x07":
        file.seek(min(place, size))
        record = file.read(struct.calcsize(_ZIP64_RECORD))
        if len(record) < struct.calcsize(_ZIP64_RECORD):
            raise MalformedPickleError("its archive is truncated")
        length = struct.unpack(_ZIP64_RECORD, record)[8]
    CHECKPOINT_HEADER_BYTES.check(length, path, CheckpointError)
    file.seek(0)


class _Members:
    """Of an archive: the name of its pickle, and the bytes of each storage by its key."""

    def __init__(self, pickle: str, sizes: dict[str, int]) -> None:
        self.pickle, self.sizes = pickle, sizes


def _sizes_of(path: Path, found: list[zipfile.ZipInfo], size: int) -> _Members:
    CHECKPOINT_TENSORS.check(len(found) - _NAMES_BESIDE, path, CheckpointError)
    names = [member.orig_filename for member in found]
    folder = names[0].partition("/")[0] + "/" if names else ""
    if f"{folder}constants.pkl" in names:
        raise InputError(
            "it is a TorchScript archive, which holds a program; expected the state dict of a model"
        )
    if f"{folder}data.pkl" not in names or not all(name.startswith(folder) for name in names):
        raise MalformedPickleError("it is not an archive that torch writes")
    if len({name.lower() for name in names}) != len(names) or any("\0" in name for name in names):
        raise InputError("two members of its archive have the same name")
    if any(member.flag_bits & 1 for member in found):
        raise MalformedPickleError("its archive is encrypted")
    unpacked = sum(member.file_size for member in found)
    if unpacked > 2 * size + _FREE_BYTES:
        raise InputError(
            f"its archive of {size:,} bytes unpacks to {unpacked:,} bytes, which no weights do"
        )
    data = f"{folder}data/"
    sizes = {
        member.orig_filename.removeprefix(data): member.file_size
        for member in found
        if member.orig_filename.startswith(data)
    }
    return _Members(f"{folder}data.pkl", sizes)
