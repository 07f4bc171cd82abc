"""Frames in, films out."""
