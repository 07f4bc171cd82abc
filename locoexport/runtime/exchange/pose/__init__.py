"""Tracks as the poses of animals."""
