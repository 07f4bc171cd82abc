"""Points through a whole video: windows, stitching, memory, results."""
