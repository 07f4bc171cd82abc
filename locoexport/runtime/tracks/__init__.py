"""Tracks as data: cut, compared, and the files that hold them."""
