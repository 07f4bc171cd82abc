"""Arrays in .npy and .npz files of strangers: what a file says of its sizes has to be there.

numpy makes an array as large as the header says before it reads the first value, and zlib makes a
gigabyte of a megabyte. Here sizes are compared with the bytes that there are, before memory is
asked for. Formats: numpy.lib.format (NEP 1), PKWARE's APPNOTE by the standard library's zipfile.
"""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.limits import Limit

__all__ = ["parse_npy", "read_npz"]

_NUMBERS = "biuf"
_MEMBERS = 1000
_KNOWN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


def parse_npy(data: bytes) -> NDArray[Any]:
    """The array of numbers that a .npy file holds; nothing in it is ever run.

    Raises:
        InputError: it is no .npy file, holds something else than numbers, or says that it is larger
            or smaller than it is.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        # Private to numpy for versions above (1, 0) and (2, 0): 3.0 is 2.0 with names as UTF-8.
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
    # Whatever numpy's parser makes of a stranger's bytes: SyntaxError, TokenError, RecursionError.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"it is no .npy array: {reason}.") from error
    if dtype.kind not in _NUMBERS:
        raise InputError(f"it holds {str(dtype)[:40]}, not numbers.")
    left = len(data) - file.tell()
    wanted = math.prod(shape) * dtype.itemsize
    if any(size < 0 for size in shape) or wanted != left:
        raise InputError(
            f"its header says {_shape_text(shape)} of {dtype}, {wanted:,} bytes; it holds {left:,}."
        )
    try:
        flat: NDArray[Any] = np.frombuffer(data, dtype, offset=file.tell())
        return flat.reshape(shape, order="F" if fortran else "C")
    except ValueError as error:  # more than 64 axes, or axes of 2**63
        raise InputError(f"its header says {_shape_text(shape)}: {error}.") from error


def read_npz(path: Path, limit: Limit, error_type: type[InputError]) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file by name.

    Args:
        path: of the file.
        limit: of the bytes that all arrays take, unpacked.
        error_type: what is raised.

    Raises:
        InputError: of ``error_type``: it is no such archive, it is damaged, or it is over the
            limit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _MEMBERS or len({m.filename for m in members}) < len(members):
                raise error_type(f"{path} is damaged: {len(members)} members, or two of one name.")
            for member in members:
                if member.compress_type not in _KNOWN or member.flag_bits & _ENCRYPTED:
                    raise error_type(f"{path} is packed or encrypted as no .npz is.")
            limit.check(sum(member.file_size for member in members), path, error_type)
            # zipfile stops at the size that the member states, and checks its CRC.
            packed = {member.filename: archive.read(member) for member in members}
    except OSError as error:
        raise error_type(f"Cannot read {path}: {error.strerror or error}.") from error
    except InputError:
        raise
    # What zipfile and zlib make of a stranger's bytes has no common base.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise error_type(f"{path} is no .npz archive, or a damaged one ({reason}).") from error
    arrays = {}
    for name, data in packed.items():
        try:
            arrays[name.removesuffix(".npy")] = parse_npy(data)
        except InputError as error:
            raise error_type(f"{path}: {name[:60]}: {error}") from error
    return arrays


def _shape_text(shape: tuple[int, ...]) -> str:
    sizes = [str(size)[:20] for size in shape[:8]]
    return f"({', '.join(sizes)}{', ...' if len(shape) > 8 else ''})"
