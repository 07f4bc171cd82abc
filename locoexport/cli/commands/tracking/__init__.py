"""``track``, with three parts of its own, ``track-many`` and ``convert``: a file a command."""
