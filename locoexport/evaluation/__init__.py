"""How good a tracker is on annotated clips: scores, sides, records."""
