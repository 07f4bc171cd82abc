"""Pieces of text and JSON that several commands show."""
