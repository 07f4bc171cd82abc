"""The commands: a file each; ``track``, which has three ways, has parts of its own."""
