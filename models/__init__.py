"""The networks themselves, in plain PyTorch; they know nothing of export.

Installed as ``locoexport.models``: LocoTrack's own repositories have a folder ``locotrack``, which
would stand in front of a top-level package of that name wherever Python is started inside them.
"""
