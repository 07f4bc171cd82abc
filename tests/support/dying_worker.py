"""A worker that never gets ready; in a module that is quick to import."""

import os


def die_at_once(*_arguments: object) -> None:
    os._exit(7)
