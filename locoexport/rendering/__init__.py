"""Reports of inspect, doctor and bench → text, JSON documents and a plot. Data types only.

One file a command; ``locoexport.render`` holds those of the other commands.
"""
