"""Tracks as annotations of a video or of images."""
