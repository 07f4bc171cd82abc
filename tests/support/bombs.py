"""What must never go off: a pickle that does something when it is read."""

import os
from pathlib import Path

__all__ = ["Bomb"]


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)
