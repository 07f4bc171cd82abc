"""Exported files as other people's servers want them; standard library only, but for the check."""
