"""What was tracked, and what other programs get of it: reports → text and JSON."""
