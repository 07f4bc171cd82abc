"""Tracks and objects drawn on frames."""
