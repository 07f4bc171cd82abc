"""Pickles of plain data, read without trust: no name in a file is ever looked up or called."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.reading.pickles.pickle_reading import (
    MalformedPickleError,
    Name,
    PickleReader,
    shown,
)

__all__ = ["ElementType", "PlainReader", "finished_type", "load_plain"]

# All that an array of numbers needs, under the names that numpy 1 and numpy 2 write.
_RECONSTRUCT, _FROM_BUFFER = "_reconstruct", "_frombuffer"
_ARRAY, _TYPE, _ENCODE = "numpy.ndarray", "numpy.dtype", "_codecs.encode"
_BYTES = "bytes"  # how protocols below 3 write bytes that are empty
_NAMES = {
    "numpy.core.multiarray._reconstruct": _RECONSTRUCT,
    "numpy._core.multiarray._reconstruct": _RECONSTRUCT,
    "numpy.core.numeric._frombuffer": _FROM_BUFFER,
    "numpy._core.numeric._frombuffer": _FROM_BUFFER,
    _ARRAY: _ARRAY,
    _TYPE: _TYPE,
    _ENCODE: _ENCODE,
    "builtins.bytes": _BYTES,
    "__builtin__.bytes": _BYTES,
}
# The types of plain values, as numpy spells them: a kind and its size.
_TYPE_TEXT = re.compile(r"b1|[iu][1248]|f(2|4|8|16)|c(8|16|32)|[SU][0-9]{1,9}|O8?|[mM]8")
_TIME_UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "generic")
_ORDERS = ("<", ">", "|", "=")
_MOST_DIMENSIONS = 32


def load_plain(path: str | Path) -> Any:
    """What a pickle holds, made of dicts, lists, strings, bytes, numbers and numpy arrays.

    A stream that names anything else is refused. Arrays are made by numpy from a type, a shape and
    bytes that were found to fit together.

    Raises:
        InputError: the file is missing or malformed, wants to make something else, or asks for
            more memory or time than a file of its size has a need for.
    """
    try:
        with open(path, "rb") as file:
            return PlainReader(file, os.fstat(file.fileno()).st_size).load()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except MalformedPickleError as error:
        raise InputError(f"{path} is not a pickle of plain data: {error}.") from error
    except InputError as error:
        raise InputError(f"{path}: {error}.") from error


class ElementType:
    """Stands for a ``numpy.dtype``, whose byte order a stream tells later."""

    __slots__ = ("text", "type")

    def __init__(self, text: str) -> None:
        """``text`` is numpy's name of a kind and its size, such as f4."""
        self.text = text
        self.type: np.dtype[Any] | None = None


class PlainReader(PickleReader):
    """Makes arrays of numbers; all else that is not built in is refused."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        """``file`` stands at the pickle's first byte; no more than ``size`` bytes are there."""
        super().__init__(file, size)
        self._bytes_left = 2 * size  # of text once, and of an array once: an old protocol's array
        self._empty: dict[int, NDArray[Any]] = {}

    def find(self, module: str, name: str) -> Any:
        """The role that a name has here; all that arrays do not need is refused."""
        role = _NAMES.get(f"{module}.{name}")
        if role is None:
            raise InputError(f"it wants to make {shown(f'{module}.{name}')}; only arrays are read")
        return Name(role)

    def call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """An array without its values yet, a type of elements, or bytes."""
        role = function.text if isinstance(function, Name) else None
        match role, arguments:
            case "_codecs.encode", (str() as text, encoding):
                return self.encode(text, encoding)
            case "bytes", ():
                return b""
            case "numpy.dtype", (str() as text, *_) if _TYPE_TEXT.fullmatch(text):
                return ElementType(text)
            case "_reconstruct", (Name(text="numpy.ndarray"), _, _):
                array = np.empty(0, np.uint8)
                self._empty[id(array)] = array
                return array
            # Arrays may stand anywhere, and equal nothing: types first, and values in the guard.
            case "_frombuffer", (
                bytes() | bytearray() as data,
                kind,
                shape,
                str() as order,
            ) if order in ("C", "F"):
                self.check_size(finished_type(kind), shape, data)
                return _frombuffer(data, finished_type(kind), shape, order)
        raise InputError("it makes an array of another type, or in another way, than of plain data")

    def build(self, target: Any, state: Any) -> None:
        """Give a type its byte order, or an array its values."""
        if isinstance(target, ElementType) and target.type is None and type(state) is tuple:
            target.type = _type_of(target.text, state)
        elif isinstance(target, np.ndarray) and id(target) in self._empty:
            match state:
                case (int() as version, shape, kind, bool() as fortran, data) if version == 1:
                    self._fill(target, shape, finished_type(kind), fortran, data)
                    del self._empty[id(target)]
                case _:
                    raise InputError("an array has a state that numpy does not write")
        else:
            raise InputError("it sets the state of what has none")

    def _fill(
        self,
        array: NDArray[Any],
        shape: Any,
        kind: np.dtype[Any],
        fortran: bool,
        data: Any,
    ) -> None:
        if isinstance(data, str):
            data = self.encode(data, "latin1")
        self.check_size(kind, shape, data)
        try:  # numpy swaps bytes of the other order, and keeps all others where they are
            cast(Any, array).__setstate__((1, shape, kind, fortran, data))
        except Exception as error:
            raise InputError(f"numpy makes no array of shape {shown(str(shape))}") from error

    def check_size(self, kind: np.dtype[Any], shape: Any, data: Any) -> None:
        """Shape, type and bytes belong together, and the file is large enough for all of them."""
        sound = (
            type(shape) is tuple
            and len(shape) <= _MOST_DIMENSIONS
            and all(type(length) is int and 0 <= length < 2**62 for length in shape)
        )
        if not sound:
            raise InputError("the shape of an array is not a tuple of whole numbers")
        count = math.prod(shape)
        if kind.kind == "O":
            if type(data) is not list or len(data) != count:
                raise InputError("an array of objects has not as many as its shape says")
            self.count_copied(count)
            return
        if type(data) not in (bytes, bytearray) or len(data) != count * kind.itemsize:
            raise InputError("an array has not as many bytes as its shape and type say")
        if count and not kind.itemsize:
            raise InputError("an array has elements of no size")
        self._take(len(data))

    def encode(self, text: str, encoding: Any) -> bytes:
        """Protocols below 3 have no bytes: they name an encoder, which is always this one."""
        if type(encoding) is not str or encoding != "latin1":
            wanted = shown(f"{encoding!r}") if type(encoding) is str else type(encoding).__name__
            raise InputError(f"it wants to encode text as {wanted}; only arrays are read")
        self._take(len(text))
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError as error:
            raise InputError("bytes are written as text that holds other than bytes") from error

    def _take(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise InputError("it makes far more bytes than the file holds")


def _frombuffer(
    data: bytes | bytearray, kind: np.dtype[Any], shape: tuple[int, ...], order: Any
) -> NDArray[Any]:
    if kind.kind == "O":
        raise InputError("an array of objects is made of bytes")
    try:
        return np.frombuffer(data, kind).reshape(shape, order=order)
    except Exception as error:
        raise InputError(f"numpy makes no array of shape {shown(str(shape))}") from error


def finished_type(kind: Any) -> np.dtype[Any]:
    """The type of an ``ElementType``; raises InputError where it is none, or has no order yet."""
    if not isinstance(kind, ElementType) or kind.type is None:
        raise InputError("an array is of no type")
    return kind.type


def _type_of(text: str, state: tuple[Any, ...]) -> np.dtype[Any]:
    """The type that a file says, made anew: of its state, the byte order and a time's unit count.

    What a state says besides (flags, sizes, fields) is what numpy is deceived with.
    """
    match state:
        case (int() as version, str() as order, None, None, None, size, _, _) if (
            version == 3 and order in _ORDERS
        ):
            pass
        case (int() as version, str() as order, None, None, None, size, _, _, (_, unit)) if (
            version == 4 and order in _ORDERS
        ):
            text += _time_unit(unit)
        case _:
            raise InputError("an array is of a type that is not plain")
    try:
        kind = np.dtype(text if order == "|" else order + text)
    except Exception as error:
        raise InputError(f"numpy has no type {text!r}") from error
    if type(size) is not int or size not in (-1, kind.itemsize):
        raise InputError(f"the type {text!r} has not the size that it says")
    return kind


def _time_unit(unit: Any) -> str:
    match unit:
        case (bytes() | str() as name, int() as number, int() as one, _) if (
            0 < number < 10**6 and one == 1
        ):
            letters = name.decode("latin-1") if isinstance(name, bytes) else name
            if letters in _TIME_UNITS:
                return "" if letters == "generic" else f"[{number}{letters}]"
    raise InputError("a type of times has no unit that numpy knows")
