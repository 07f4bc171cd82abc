"""Transport streams (.ts, .m2ts): whether a pause is one, or a hole that no counter shows.

Source: ISO/IEC 13818-1, 2.4.3.3, the continuity counter.
"""

from __future__ import annotations

from contextlib import suppress

from av.packet import Packet
from av.video.stream import VideoStream

__all__ = ["goes_on_between"]

_SYNC, _NOTHING = 0x47, 0x1FFF
_SIZES = ((188, 0), (192, 0), (192, 4), (204, 0))
"""Bytes of a packet, and of those before its first one."""
_AROUND = 200
"""Packets before and behind a pause that are looked at too."""
_MOST_BYTES = 1 << 24


def goes_on_between(name: str, earlier: Packet[VideoStream], later: Packet[VideoStream]) -> bool:
    """Whether the counters of all streams of a file go on between two packets of its film.

    Of one stream alone this says nothing: in one of 16 holes it goes on by chance.

    Args:
        name: of the file, as PyAV has it.
        earlier: the packet before a pause.
        later: the one behind it.
    """
    if earlier.pos is None or later.pos is None or later.pos <= earlier.pos:
        return False
    content = b""
    with suppress(OSError), open(name.removeprefix("file:"), "rb") as file:
        file.seek(earlier.pos)
        content = file.read(min(_MOST_BYTES, later.pos - earlier.pos + _AROUND * 188))
    for size, lead in _SIZES:
        heads = content[lead::size]
        if len(heads) > 1 and set(heads[:-1]) == {_SYNC}:
            return _go_on([content[at : at + 6] for at in range(lead, len(content) - 6, size)])
    return False


def _go_on(heads: list[bytes]) -> bool:
    counters: dict[int, int] = {}
    compared: set[int] = set()
    for head in heads:
        stream, counter = (head[1] & 31) << 8 | head[2], head[3] & 15
        holds, set_anew = bool(head[3] & 16), bool(head[3] & 32 and head[4] and head[5] & 128)
        if stream == _NOTHING:
            continue
        last = counters.get(stream)
        if last is not None and not set_anew:
            # A packet may come twice, and one without content does not count.
            if counter not in ((last + holds) & 15, last):
                return False
            compared.add(stream)
        counters[stream] = counter
    return len(compared) > 1
