"""Files that are written: whole or not at all, and what stood there before until they are."""
