"""The four forms of tracking: points, objects, a folder of clips, many clips."""
