"""``locoexport tune``: what is tried on this machine, how it is measured, and what is chosen."""
