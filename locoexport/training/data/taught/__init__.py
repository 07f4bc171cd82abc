"""Clips whose tracks another tracker, or a person, has told."""
