"""Where a tensor's bytes lie in a file beside its model."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from locoexport.errors import ModelFileError

__all__ = ["DataSpan", "span_of"]

_MOST_DIGITS = 18
"""Of an offset or a length: more are no place in any file."""
_SHOWN = 80


@dataclass(frozen=True)
class DataSpan:
    """Where a tensor's bytes lie; ``length`` is None where the model does not say."""

    location: str
    offset: int
    length: int | None

    @property
    def end(self) -> int:
        """How far the file reaches at least."""
        return self.offset + (self.length or 0)


def span_of(tensor: onnx.TensorProto) -> DataSpan:
    """What an external tensor says of its place.

    Raises:
        ModelFileError: its offset or length is no number.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}

    def number(key: str) -> int | None:
        text = entries.get(key)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
            raise ModelFileError(
                f"External data of {tensor.name[:_SHOWN]!r} is damaged: its {key} is "
                f"{text[:_SHOWN]!r}."
            )
        return int(text)

    return DataSpan(entries.get("location", ""), number("offset") or 0, number("length"))
