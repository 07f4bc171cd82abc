"""Pickles that JAX's trainings write, read without trust: dicts of arrays, and what is beside them.

The classes of haiku, optax and of a training's own modules that a stream names are never looked
up: a dict of haiku's becomes a dict, all else a stand-in that holds nothing.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.reading.pickles.pickle_reading import Name, shown
from locoexport.machine.reading.pickles.plain_pickle import ElementType, PlainReader, finished_type

__all__ = ["JaxPickleReader", "StoredArray", "Unread"]

_DICT, _SCALAR = "dict", "scalar"
_NAMES = {
    **{f"{core}.multiarray.scalar": _SCALAR for core in ("numpy.core", "numpy._core")},
    # haiku.data_structures: FlatMapping under all names that it has had.
    **{
        f"haiku._src.data_structures.{name}": _DICT
        for name in ("FlatMapping", "FlatMap", "frozendict", "to_haiku_dict")
    },
    "collections.OrderedDict": _DICT,
}
# An optimiser's state, a training's settings, arrays on a device: nothing of it is read. A
# training's own optimisers are in a module of that name (LocoTrack: locotrack.optimizers).
_UNREAD = re.compile(
    r"(optax|chex|haiku|jax|jaxlib|jaxline|flax|ml_collections)\..+|([\w.]+\.)?optimizers\.\w+"
)


class StoredArray:
    """An array as a pickle holds it: no memory is taken for it besides the pickle's own bytes."""

    __slots__ = ("_data", "_fortran", "dtype", "shape")

    def __init__(self) -> None:
        """It is given its values by ``fill``."""
        self._data: bytes | bytearray | list[Any] | None = None
        self._fortran = False
        self.dtype: np.dtype[Any] = np.dtype(object)
        self.shape: tuple[int, ...] = ()

    @property
    def filled(self) -> bool:
        """Whether it has its values."""
        return self._data is not None

    def fill(
        self,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        fortran: bool,
        data: bytes | bytearray | list[Any],
    ) -> None:
        """Set what was found to fit together: ``data`` has as many elements as ``shape`` says."""
        self.dtype, self.shape, self._fortran, self._data = dtype, shape, fortran, data

    def values(self) -> NDArray[Any]:
        """The numbers, without a copy.

        Raises:
            InputError: there are none, or numpy makes no such array.
        """
        if self._data is None or isinstance(self._data, list):
            raise InputError("an array holds objects, where numbers were expected")
        try:
            flat = np.frombuffer(self._data, self.dtype)
            return flat.reshape(self.shape, order="F" if self._fortran else "C")
        except Exception as error:
            raise InputError(f"numpy makes no array of shape {shown(str(self.shape))}") from error

    def only_object(self) -> Any:
        """What an array of one object holds; raises InputError where it is another."""
        if not isinstance(self._data, list) or len(self._data) != 1:
            raise InputError("it is not an array of one object")
        return self._data[0]


class Unread:
    """Stands for what nobody reads; ``text`` is how the pickle names it."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        """``text`` is the module and the name in it, joined by a dot."""
        self.text = text


class _UnreadName(Name):
    """Stands for a class or function whose products nobody reads."""


class JaxPickleReader(PlainReader):
    """Makes dicts, lists, plain values, ``StoredArray`` and, of all that is ignored, ``Unread``.

    Whole numbers of numpy become ints.
    """

    def find(self, module: str, name: str) -> Any:
        """The role of a name; what has none in a training is refused."""
        text = f"{module}.{name}"
        if text in _NAMES:
            return Name(_NAMES[text])
        if _UNREAD.fullmatch(text):
            return _UnreadName(text)
        if module.partition(".")[0] == "torch":
            raise InputError(
                f"it holds tensors of PyTorch ({shown(text)}), not arrays: torch.save writes what "
                "--checkpoint reads of these"
            )
        return super().find(module, name)

    def call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """A dict, a number, an array that gets its values later, or a stand-in."""
        if isinstance(function, _UnreadName):
            return Unread(function.text)
        role = function.text if isinstance(function, Name) else None
        match role, arguments:
            case "dict", ():
                return {}
            case "dict", (dict() as mapping,):
                return mapping
            case "scalar", (ElementType() as kind, bytes() | str() as data):
                return self._scalar(finished_type(kind), data)
            case "_reconstruct", (Name(text="numpy.ndarray"), _, _):
                return StoredArray()
            case "_frombuffer", (bytes() | bytearray() as data, kind, shape, str() as order) if (
                order in ("C", "F")
            ):
                array, dtype = StoredArray(), finished_type(kind)
                if dtype.kind == "O":
                    raise InputError("an array of objects is made of bytes")
                self.check_size(dtype, shape, data)
                array.fill(dtype, shape, order == "F", data)
                return array
        return super().call(function, arguments)

    def build(self, target: Any, state: Any) -> None:
        """Give an array its values; what is set on a stand-in is not kept."""
        if isinstance(target, Unread):
            return
        if not isinstance(target, StoredArray):
            super().build(target, state)
            return
        match state:
            case (int() as version, shape, kind, bool() as fortran, data) if (
                version == 1 and not target.filled
            ):
                dtype = finished_type(kind)
                if isinstance(data, str) and dtype.kind != "O":
                    data = self.encode(data, "latin1")
                self.check_size(dtype, shape, data)
                target.fill(dtype, shape, fortran, data)
            case _:
                raise InputError("an array has a state that numpy does not write")

    def _scalar(self, dtype: np.dtype[Any], data: bytes | str) -> Any:
        if isinstance(data, str):
            data = self.encode(data, "latin1")
        if dtype.kind == "O" or len(data) != dtype.itemsize or not data:
            raise InputError("a number has not as many bytes as its type says")
        value = np.frombuffer(data, dtype)[0]
        return int(value) if dtype.kind in "iu" else Unread(f"numpy.{dtype}")
