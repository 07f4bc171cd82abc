"""What every server is told of a model, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from locoexport.errors import UsageError

__all__ = ["Device", "ServedModel", "ServingOptions", "ShapeRange", "Tensor"]

Device = Literal["auto", "cpu", "gpu"]
_TYPES = {
    "tensor(float)": "TYPE_FP32",
    "tensor(float16)": "TYPE_FP16",
    "tensor(uint8)": "TYPE_UINT8",
}


@dataclass(frozen=True)
class Tensor:
    """An input or output: its type as ONNX Runtime names it, and its shape with names for axes."""

    name: str
    type: str
    shape: tuple[int | str, ...]

    @property
    def data_type(self) -> str:
        """Triton's name of the type.

        Raises:
            UsageError: Triton is not told of such a type here.
        """
        if self.type not in _TYPES:
            raise UsageError(f"{self.name} is {self.type}; only {', '.join(_TYPES)} are served.")
        return _TYPES[self.type]

    def sizes(self, **axes: int) -> tuple[int, ...]:
        """The shape with a number for each named axis; -1 for those that are not given."""
        return tuple(size if isinstance(size, int) else axes.get(size, -1) for size in self.shape)

    def pinned(self, **axes: int) -> Tensor:
        """The same with numbers for some of the named axes."""
        shape = tuple(
            axes.get(size, size) if isinstance(size, str) else size for size in self.shape
        )
        return replace(self, shape=shape)


@dataclass(frozen=True)
class ServedModel:
    """One .onnx file under its name in the repository."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def batch_is_dynamic(self) -> bool:
        """Whether requests may be stacked along the first axis of every tensor."""
        return all(tensor.shape[0] == "batch" for tensor in (*self.inputs, *self.outputs))


@dataclass(frozen=True)
class ShapeRange:
    """The sizes of an axis that TensorRT builds an engine for: least, usual, most."""

    least: int
    usual: int
    most: int

    def __post_init__(self) -> None:
        """Raises UsageError where they do not follow one another."""
        if not 1 <= self.least <= self.usual <= self.most:
            raise UsageError(
                f"Shapes are given as MIN,OPT,MAX with 1 <= MIN <= OPT <= MAX, not "
                f"{self.least},{self.usual},{self.most}."
            )


@dataclass(frozen=True)
class ServingOptions:
    """What a user may choose.

    Attributes:
        device: where instances run; ``auto`` is the GPU where there is one.
        instances: of each model (on each GPU).
        max_batch: clips that one request, or several together, may hold.
        threads: of the CPU for an instance; None leaves it to ONNX Runtime.
        tensorrt: whether the TensorRT accelerator is asked for.
        precision: FP32 or FP16, for TensorRT.
        frames: of a clip; ``usual`` is warmed up with.
        points: of a clip; ``usual`` is warmed up with.
    """

    device: Device = "auto"
    instances: int = 1
    max_batch: int = 4
    threads: int | None = None
    tensorrt: bool = False
    precision: str = "FP32"
    frames: ShapeRange = ShapeRange(2, 24, 48)
    points: ShapeRange = ShapeRange(1, 64, 256)

    def __post_init__(self) -> None:
        """Raises UsageError for a number that makes no sense."""
        for name in ("instances", "max_batch", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}; it must be at least 1.")
        if self.tensorrt and self.device == "cpu":
            raise UsageError("TensorRT runs on a GPU; leave --device cpu or --tensorrt out.")
