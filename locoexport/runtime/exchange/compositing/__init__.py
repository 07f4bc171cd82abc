"""Tracks for programs of film: trackers, compositors, editors."""
