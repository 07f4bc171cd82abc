"""Reports → text, JSON documents and a plot. Imports data types only.

One file a command; what several of them show is in ``parts``.
"""
