"""The pickle within a checkpoint, played through with stand-ins for all that torch would make."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from typing import Any, BinaryIO

from torch import Tensor
from torch.nn import Parameter

from locoexport.errors import InputError
from locoexport.machine.limits import CHECKPOINT_TENSORS
from locoexport.machine.reading.pickles.pickle_reading import Name, PickleReader, shown

__all__ = ["CheckpointReader"]

_LONGEST_TEXT = 4096  # that a number or a device is made of
_MOST_AXES = 64
_REBUILDS = {
    f"torch._utils._rebuild_{name}"
    for name in ("tensor", "tensor_v2", "tensor_v3", "parameter", "parameter_with_state")
}
_UNUSUAL = {
    "torch._utils._rebuild_qtensor": "quantised",
    "torch._utils._rebuild_sparse_tensor": "sparse",
    "torch._utils._rebuild_meta_tensor_no_storage": "without values (meta)",
    "torch._utils._rebuild_nested_tensor": "nested",
}
_FROM_TYPE = "torch._tensor._rebuild_from_type_v2"
_PARAMETER = "torch.nn.parameter.Parameter"
_LIGHTNING = (
    "lightning.fabric.utilities.data",
    "lightning.pytorch.utilities.parsing",
    "lightning_fabric.utilities.data",
    "pytorch_lightning.utilities.parsing",
)
_DICTS = {
    *("builtins.dict", "collections.OrderedDict", "collections.Counter", "collections.defaultdict"),
    *(f"{module}.AttributeDict" for module in _LIGHTNING),
}
_LISTS = {"builtins.list", "collections.deque"}
_SETS = {"builtins.set", "builtins.frozenset"}
_SCALARS = {"builtins.int", "builtins.float", "builtins.complex"}
_SMALL = {"torch.Size", "torch.device", "torch.serialization._get_layout", "builtins.bytearray"}
# What models/locotrack/checkpoint.py lets in as values that nobody reads.
_IGNORED = {
    *(f"{core}.multiarray.scalar" for core in ("numpy.core", "numpy._core")),
    *(f"{core}.multiarray._reconstruct" for core in ("numpy.core", "numpy._core")),
    *("numpy.ndarray", "numpy.dtype", "_codecs.encode", "argparse.Namespace"),
    *(
        f"{module}.{kind}"
        for module in ("pathlib", "pathlib._local")
        for kind in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
    ),
}
_CALLED = {
    *(*_REBUILDS, *_UNUSUAL, *_DICTS, *_LISTS, *_SETS, *_SCALARS, *_SMALL, *_IGNORED),
    *(_FROM_TYPE, _PARAMETER),
}
_FILLED = (Tensor, Parameter, OrderedDict, Counter)
# Storages, element types and kinds of quantisation, which are named and never called.
_NAMED = re.compile(
    r"torch\.(cuda\.)?[A-Z][A-Za-z0-9]*Storage|torch\.storage\.(Unt|T)ypedStorage|torch\.Tensor|"
    r"torch\.(float|bfloat|uint|int|complex|bool|q?u?int|bits|per_)[a-z0-9_]*"
)
_ITEM_BYTES = {
    "ComplexDouble": 16,
    **dict.fromkeys(("Double", "Long", "ComplexFloat"), 8),
    **dict.fromkeys(("Float", "Int", "QInt32"), 4),
    **dict.fromkeys(("Half", "Short", "BFloat16"), 2),
}


class _Made:
    """Stands for what a call makes; ``items`` is what it is filled with, where it can be."""

    __slots__ = ("items", "text")

    def __init__(self, text: str, items: Any = None) -> None:
        self.text, self.items = text, items


class _Storage:
    """The bytes of tensors: how many, and of what size each element is."""

    __slots__ = ("item_bytes", "size")

    def __init__(self, size: int, item_bytes: int) -> None:
        self.size, self.item_bytes = size, item_bytes


class CheckpointReader(PickleReader):
    """Plays the pickle of a checkpoint; ``check`` says what is wrong with it."""

    def __init__(
        self,
        file: BinaryIO,
        size: int,
        *,
        members: dict[str, int] | None = None,
        storages: int = 0,
    ) -> None:
        """``members`` are storages by key, in an archive; ``storages``: bytes of all of them."""
        super().__init__(file, size)
        self._members, self._left = members, storages
        self._known: dict[str, _Storage] = {}
        self._unusual: list[_Made] = []

    def check(self) -> None:
        """Play it to its end.

        Raises:
            MalformedPickleError, InputError: as ``load``; also for tensors of unusual kinds.
        """
        document = _items(self.load())
        state = _items(document.get("state_dict", document))
        CHECKPOINT_TENSORS.check(len(state), "its state dict")
        if not self._unusual:
            return
        for name, value in state.items():
            if isinstance(value, _Made) and value.text in _UNUSUAL:
                raise InputError(
                    f"tensor {shown(str(name))} is {_UNUSUAL[value.text]}; expected plain floats"
                )
        raise InputError(
            f"a tensor in it is {_UNUSUAL[self._unusual[0].text]}; expected plain ones"
        )

    def find(self, module: str, name: str) -> Any:
        """The stand-in of a name that torch lets in as well."""
        module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
        text = f"{module}.{name}"
        if text not in _CALLED and not _NAMED.fullmatch(text):
            raise InputError(
                f"its pickle asks for {shown(text.removeprefix('builtins.'))}, which is more than "
                "tensors and plain values, and loading it could run code"
            )
        return Name(text)

    def find_stored(self, identity: Any) -> Any:
        """The bytes that a tensor is made over; the file has at least as many."""
        match identity:
            case ("storage" | b"storage", Name(text=kind), str() as key, _, int() as count, *rest):
                if count < 0 or any(view is not None for view in rest):
                    raise InputError("a storage is of no size, or a view of another")
            case _:
                raise InputError("it asks for something that is not a storage of tensors")
        item_bytes = _ITEM_BYTES.get(kind.rpartition(".")[2].removesuffix("Storage"), 1)
        if key not in self._known:
            self._known[key] = _Storage(self._take(key, count * item_bytes), item_bytes)
        # A key that is named again stands for the same bytes, of the type that it had first.
        return self._known[key]

    def _take(self, key: str, size: int) -> int:
        if self._members is not None:
            held = self._members.get(key, -1)
        else:
            held = self._left
            self._left -= size
        if size > held:
            raise InputError(
                f"storage {shown(key)} should have {size:,} bytes, and fewer are in the file"
            )
        return size

    def call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """The stand-in of what torch would make."""
        if not isinstance(function, Name) or function.text not in _CALLED:
            raise InputError("it calls what is not a function for tensors")
        text = function.text
        if text in _IGNORED:
            return _Made(text)
        if text in _UNUSUAL:
            self._unusual.append(_Made(text))
            return self._unusual[-1]
        if text in (_FROM_TYPE, _PARAMETER) or text in _REBUILDS:
            return self._rebuild(text, arguments)
        if text in _DICTS | _LISTS | _SETS:
            return self._collect(text, arguments)
        for value in arguments:
            self._check_plain(text, value)
        return _Made(text)

    def _check_plain(self, text: str, value: Any) -> None:
        """What numbers, sizes and devices are made of; a bytearray's length is taken as memory."""
        if type(value) in (tuple, list):
            self.count_copied(len(value))
            sound = _is_sizes(value)
        elif type(value) in (str, bytes):
            sound = len(value) <= _LONGEST_TEXT
        else:
            sound = type(value) in (int, float, bool) and text != "builtins.bytearray"
        if not sound:
            raise InputError(f"it calls {text} with something that is not a plain value")

    def _rebuild(self, text: str, arguments: tuple[Any, ...]) -> _Made:
        match text.rpartition("_")[2] if text != _FROM_TYPE else text, arguments:
            case "tensor" | "v2", (_Storage() as storage, offset, size, stride, *_):
                _check_bounds(storage, storage.item_bytes, offset, size, stride)
            case "v3", (_Storage() as storage, offset, size, stride, _, _, Name(text=kind), *_):
                _check_bounds(storage, _bytes_of(kind), offset, size, stride)
            case "parameter", (_Made(), _, _):
                pass
            case "state", (_Made(), _, _, state):
                self._check_attributes(state)
            case _ if text == _PARAMETER and all(
                isinstance(value, _Made | bool) for value in arguments
            ):
                pass
            case _ if text == _FROM_TYPE and len(arguments) == 4:
                function, kind, inner, state = arguments
                if not isinstance(kind, Name) or type(inner) is not tuple:
                    raise InputError("a tensor is made of no parts")
                if not isinstance(function, Name) or function.text not in _REBUILDS:
                    raise InputError("a tensor is made by no function for tensors")
                self._check_attributes(state)
                return self._rebuild(function.text, inner)
            case _:
                raise InputError("a tensor is made of parts that do not belong together")
        return _Made(text)

    def _collect(self, text: str, arguments: tuple[Any, ...]) -> _Made:
        """A dict, list or set of a type of its own, of what is plainly given."""
        if text in _DICTS:
            made = _Made(text, {})
            for given in arguments:
                if type(given) is dict:
                    self.count_copied(len(given))
                elif text == "collections.Counter" and type(given) is list:
                    self._check_items(given)
                elif type(given) is list:
                    self.count_copied(len(given))
                    for pair in given:
                        if type(pair) not in (list, tuple) or len(pair) != 2:
                            raise InputError("a dict is made of something else than pairs")
                        self.check_key(pair[0])
                        made.items[pair[0]] = pair[1]
                elif not (given is None or isinstance(given, Name)):  # a defaultdict's factory
                    raise InputError(f"it makes {text} of something that is not plain")
            return made
        for given in arguments:
            if type(given) not in (list, tuple, set, frozenset, int, type(None)):
                raise InputError(f"it makes {text} of something that is not plain")
            if text in _SETS and not isinstance(given, int | None):
                self._check_items(given)
            elif not isinstance(given, int | None):
                self.count_copied(len(given))
        return _Made(text, [] if text in _LISTS else None)

    def _check_items(self, given: Any) -> None:
        self.count_copied(len(given))
        for item in given:
            self.check_key(item)

    def build(self, target: Any, state: Any) -> None:
        """Check attributes; nothing is kept of them."""
        if isinstance(target, _Made) and target.text in _IGNORED:
            return
        if not isinstance(target, _Made) or target.text not in _DICTS:
            raise InputError("it sets the state of what has none")
        self._check_attributes(state)

    def _check_attributes(self, state: Any) -> None:
        """Attributes that are set on a tensor or a dict take the place of none that these have."""
        for part in state if type(state) is tuple else (state,):
            held = part.items if isinstance(part, _Made) else part
            if held is not None and type(held) is not dict:
                raise InputError("it sets attributes by no names")
            self.count_copied(len(held or {}))
            for name in held or {}:
                taken = type(name) is not str or any(hasattr(kind, name) for kind in _FILLED)
                if taken:
                    raise InputError(
                        f"it sets the attribute {shown(str(name))}, which tensors or dicts have"
                    )

    def container_of(self, target: Any) -> Any:
        """What a stand-in is filled with."""
        return target.items if isinstance(target, _Made) else target

    def is_fixed_key(self, key: Any) -> bool:
        """Names, paths and numbers are hashed in no time."""
        return isinstance(key, Name) or (
            isinstance(key, _Made) and (key.text in _IGNORED or key.text in _SCALARS)
        )

    def old_text(self, text: str) -> str:
        """Text of Python 2, in any encoding: nobody reads it."""
        return text


def _items(value: Any) -> dict[Any, Any]:
    """What a dict holds, or its stand-in; nothing where it is neither."""
    held = value.items if isinstance(value, _Made) else value
    return held if isinstance(held, dict) else {}


def _is_sizes(value: Any) -> bool:
    return type(value) in (tuple, list) and all(type(length) is int for length in value)


def _bytes_of(kind: str) -> int:
    """Bytes of an element, by the name of its type: torch.float8_e5m2, torch.complex64."""
    bits = re.match(r"torch\.[a-z]+([0-9]+)", kind)
    return max(1, int(bits[1]) // 8) if bits is not None else 1


def _check_bounds(storage: _Storage, item_bytes: int, offset: Any, size: Any, stride: Any) -> None:
    """A tensor lies within its storage: else torch makes the storage larger, of whatever is there.

    Args:
        storage: its bytes.
        item_bytes: of each element.
        offset: elements before its first.
        size: its shape.
        stride: elements from one to the next, for each axis.
    """
    sound = (
        type(size) is tuple
        and type(stride) is tuple
        and len(size) == len(stride) <= _MOST_AXES
        and _is_sizes((*size, *stride, offset))
        and min((*size, *stride, offset)) >= 0
    )
    if not sound:
        raise InputError("a tensor has a shape that is not a tuple of whole numbers")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if 0 not in size and (last + 1) * item_bytes > storage.size:
        raise InputError(
            f"a tensor of shape {shown(str(size))} reaches beyond its {storage.size:,} bytes"
        )
