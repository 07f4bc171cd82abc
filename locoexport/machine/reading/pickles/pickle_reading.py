"""Pickles read without trust: what a stream does is played through with values of our own.

Python's unpickler makes whatever a stream names, and even with a short list of names it fills
their insides with what the file says: a forged ``numpy.dtype`` passes bytes for pointers. It also
takes memory by the numbers in a file, and hashes keys that take years to hash. No reader without
these faults is published (fickling and picklescan look at a file, and do not read it). The
operations are therefore taken apart by the standard library's ``pickletools``, and played here.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from locoexport.errors import InputError
from locoexport.machine.limits import PICKLE_OPERATIONS

__all__ = ["MalformedPickleError", "Name", "PickleReader", "shown"]

# What may be hashed: enough for any sound file, and little enough that nothing takes long.
# Hashes of whole numbers are the numbers themselves, so that long ones, and tuples, can be made to
# share one hash; a dict of such keys takes time that grows with their square.
_KEY_LENGTH = 4096
_KEY_BITS = 64
_TUPLE_LEAVES = 100
_TUPLE_KEYS = 1000
_SMALL = 1 << 16  # bytes, read without asking how many are left
_MISFIT = "its operations do not fit together"


class MalformedPickleError(ValueError):
    """Bytes that no pickler writes."""


class Name:
    """Stands for what a stream names; it cannot be called."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        """``text`` is the module and the name in it, joined by a dot."""
        self.text = text


class PickleReader:
    """Plays one pickle through; a subclass says what names, calls and states are let through.

    What is made is dicts, lists, tuples, sets, text, bytes and numbers, and what the methods
    ``find``, ``call``, ``build`` and ``find_stored`` return. These four refuse everything here.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        """``file`` stands at the pickle's first byte; no more than ``size`` bytes are there."""
        self._operations = pickletools.genops(cast(BinaryIO, _BoundedFile(file, size)))
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._tuple_keys = 0
        self._copied = 0
        self.done = 0

    def load(self) -> Any:
        """The value that the pickle ends with; the file then stands behind it.

        Raises:
            MalformedPickleError: no pickle, a truncated one, or one that fits no pickler.
            InputError: it asks for what is not let through, or is over the limits.
        """
        limit = PICKLE_OPERATIONS.value
        while True:
            try:
                operation, argument, _ = next(self._operations)
            except Exception as error:  # the parser's, of whatever kind
                raise MalformedPickleError(_reason(error)) from error
            self.done += 1
            if self.done > limit:
                raise InputError(
                    f"it has more than {limit:,} operations; if you trust it, set "
                    f"{PICKLE_OPERATIONS.variable} to a larger number"
                )
            if operation.name == "STOP":
                return self._pop()
            _OPERATIONS[operation.name](self, argument)

    # What subclasses say.

    def find(self, module: str, name: str) -> Any:
        """The stand-in of a name; raises InputError where it is not let through."""
        raise InputError(f"it wants to make {shown(f'{module}.{name}')}")

    def call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """What calling a stand-in gives; raises InputError where it is not let through."""
        raise InputError(_MISFIT)

    def build(self, target: Any, state: Any) -> None:
        """Give a stand-in its state; raises InputError where it is not let through."""
        raise InputError("it sets the state of what has none")

    def find_stored(self, identity: Any) -> Any:
        """What is kept outside the pickle; raises InputError where nothing is."""
        raise InputError("it asks for something that is not in the file")

    def container_of(self, target: Any) -> Any:
        """The dict, list or set that is filled when items are given to ``target``."""
        return target

    def is_fixed_key(self, key: Any) -> bool:
        """Whether a stand-in may be a key."""
        return False

    def old_text(self, text: str) -> Any:
        """Text that Python 2 wrote as bytes."""
        if not text.isascii():
            raise MalformedPickleError("text of Python 2 that is not ASCII")
        return text

    def count_copied(self, elements: int) -> None:
        """Elements copied from a list, which a file may name again and again.

        Raises:
            InputError: more than the file has operations, one of which wrote each element.
        """
        self._copied += elements
        if self._copied > self.done:
            raise InputError("it copies the same list too often")

    def check_key(self, key: Any) -> None:
        """Raises InputError unless the key can be hashed, and compared, in little time."""
        if type(key) is tuple:
            self._tuple_keys += 1
            if self._tuple_keys > _TUPLE_KEYS:
                raise InputError(f"more than {_TUPLE_KEYS} of its keys are tuples")
            leaves, waiting = 0, [key]
            while waiting:
                for item in waiting.pop():
                    leaves += 1
                    if leaves > _TUPLE_LEAVES:
                        raise InputError(f"a key is a tuple of over {_TUPLE_LEAVES} values")
                    if type(item) is tuple:
                        waiting.append(item)
                    else:
                        self._check_leaf(item)
            return
        self._check_leaf(key)

    def _check_leaf(self, key: Any) -> None:
        kind = type(key)
        if kind is str or kind is bytes:
            fits = len(key) <= _KEY_LENGTH
        elif kind is int:
            fits = key.bit_length() <= _KEY_BITS
        else:
            fits = kind is float or kind is bool or key is None or self.is_fixed_key(key)
        if not fits:
            raise InputError(
                f"a key is a {kind.__name__} that is not short text, bytes or a number; "
                "only these are read"
            )

    # The stack.

    def _pop(self) -> Any:
        if not self._stack:
            raise MalformedPickleError(_MISFIT)
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack:
            raise MalformedPickleError(_MISFIT)
        return self._stack[-1]

    def _pop_to_mark(self) -> list[Any]:
        if not self._below:
            raise MalformedPickleError(_MISFIT)
        items, self._stack = self._stack, self._below.pop()
        return items

    def _pop_many(self, count: int) -> tuple[Any, ...]:
        if len(self._stack) < count:
            raise MalformedPickleError(_MISFIT)
        items = tuple(self._stack[-count:])
        del self._stack[-count:]
        return items

    def _fill_list(self, items: list[Any]) -> None:
        target = self.container_of(self._top())
        if type(target) is not list:
            raise MalformedPickleError(_MISFIT)
        target.extend(items)

    def _fill_set(self, items: list[Any]) -> None:
        target = self._top()
        if type(target) is not set:
            raise MalformedPickleError(_MISFIT)
        for item in items:
            self.check_key(item)
            target.add(item)

    def _fill_dict(self, target: Any, items: list[Any]) -> None:
        if type(target) is not dict or len(items) % 2:
            raise MalformedPickleError(_MISFIT)
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.check_key(key)
            target[key] = value

    # Operations that are more than a push.

    def _mark(self, _: Any) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _drop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_to_mark()

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise MalformedPickleError("it remembers what it has not made")
        self._stack.append(self._memo[index])

    def _put(self, index: int) -> None:
        self._memo[index] = self._top()

    def _make_dict(self, _: Any) -> None:
        made: dict[Any, Any] = {}
        self._fill_dict(made, self._pop_to_mark())
        self._stack.append(made)

    def _make_frozenset(self, _: Any) -> None:
        items = self._pop_to_mark()
        for item in items:
            self.check_key(item)
        self._stack.append(frozenset(items))

    def _set_item(self, _: Any) -> None:
        key, value = self._pop_many(2)
        self._fill_dict(self.container_of(self._top()), [key, value])

    def _set_items(self, _: Any) -> None:
        items = self._pop_to_mark()
        self._fill_dict(self.container_of(self._top()), items)

    def _find(self, pair: str) -> None:
        module, _, name = pair.partition(" ")
        self._stack.append(self.find(module, name))

    def _find_from_stack(self, _: Any) -> None:
        module, name = self._pop_many(2)
        if type(module) is not str or type(name) is not str:
            raise MalformedPickleError(_MISFIT)
        self._stack.append(self.find(module, name))

    def _call(self, _: Any) -> None:
        function, arguments = self._pop_many(2)
        if type(arguments) is not tuple:
            raise MalformedPickleError(_MISFIT)
        self._stack.append(self.call(function, arguments))

    def _build(self, _: Any) -> None:
        state = self._pop()
        self.build(self._top(), state)

    def _check_protocol(self, protocol: int) -> None:
        if protocol > pickle.HIGHEST_PROTOCOL:
            raise MalformedPickleError(f"unsupported pickle protocol: {protocol}")


def _push(reader: PickleReader, value: Any) -> None:
    reader._stack.append(value)


def _push_new(make: Callable[[], Any]) -> Callable[[PickleReader, Any], None]:
    return lambda reader, _: reader._stack.append(make())


def _push_tuple(count: int) -> Callable[[PickleReader, Any], None]:
    return lambda reader, _: reader._stack.append(reader._pop_many(count))


def _ignore(_reader: PickleReader, _value: Any) -> None:
    """A frame only says how much to read ahead."""


def _refuse(reader: PickleReader, _: Any) -> None:
    raise InputError("it makes objects in a way that no array of numbers is written")


_OPERATIONS: dict[str, Callable[[PickleReader, Any], None]] = {
    **dict.fromkeys(
        ["INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"],
        _push,
    ),
    **dict.fromkeys(["UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"], _push),
    **dict.fromkeys(["BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"], _push),
    **dict.fromkeys(
        ["STRING", "BINSTRING", "SHORT_BINSTRING"],
        lambda reader, text: reader._stack.append(reader.old_text(text)),
    ),
    **dict.fromkeys(["GET", "BINGET", "LONG_BINGET"], PickleReader._get),
    **dict.fromkeys(["PUT", "BINPUT", "LONG_BINPUT"], PickleReader._put),
    **dict.fromkeys(["INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"], _refuse),
    **dict.fromkeys(["NEXT_BUFFER", "READONLY_BUFFER"], _refuse),
    "MEMOIZE": lambda reader, _: reader._put(len(reader._memo)),
    "NONE": _push_new(lambda: None),
    "NEWTRUE": _push_new(lambda: True),
    "NEWFALSE": _push_new(lambda: False),
    "EMPTY_LIST": _push_new(list),
    "EMPTY_DICT": _push_new(dict),
    "EMPTY_SET": _push_new(set),
    "EMPTY_TUPLE": _push_new(tuple),
    "TUPLE1": _push_tuple(1),
    "TUPLE2": _push_tuple(2),
    "TUPLE3": _push_tuple(3),
    "TUPLE": lambda reader, _: _push(reader, tuple(reader._pop_to_mark())),
    "LIST": lambda reader, _: _push(reader, reader._pop_to_mark()),
    "DICT": PickleReader._make_dict,
    "FROZENSET": PickleReader._make_frozenset,
    "APPEND": lambda reader, _: reader._fill_list([reader._pop()]),
    "APPENDS": lambda reader, _: reader._fill_list(reader._pop_to_mark()),
    "ADDITEMS": lambda reader, _: reader._fill_set(reader._pop_to_mark()),
    "SETITEM": PickleReader._set_item,
    "SETITEMS": PickleReader._set_items,
    "MARK": PickleReader._mark,
    "POP": PickleReader._drop,
    "POP_MARK": lambda reader, _: _ignore(reader, reader._pop_to_mark()),
    "DUP": lambda reader, _: _push(reader, reader._top()),
    "GLOBAL": PickleReader._find,
    "STACK_GLOBAL": PickleReader._find_from_stack,
    "REDUCE": PickleReader._call,
    "NEWOBJ": PickleReader._call,
    "BUILD": PickleReader._build,
    "PERSID": lambda reader, text: _push(reader, reader.find_stored(text)),
    "BINPERSID": lambda reader, _: _push(reader, reader.find_stored(reader._pop())),
    "PROTO": PickleReader._check_protocol,
    "FRAME": _ignore,
}


class _BoundedFile:
    """A file that is never asked for more than it has: Python sets aside what is asked for."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._end = file, file.tell() + size
        self.readline = file.readline

    def read(self, count: int) -> bytes:
        if count > _SMALL:
            count = min(count, max(0, self._end - self._file.tell()))
        return self._file.read(count)


def shown(text: str, longest: int = 120) -> str:
    """Text of a stranger as a message may show it: one line, printable and short."""
    short = text if len(text) <= longest else text[:longest] + "…"
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in short
    )


def _reason(error: Exception) -> str:
    return shown(" ".join(str(error).split()) or type(error).__name__)
