"""The version, in a file of its own: rooms name it, and the package names all their functions."""

__all__ = ["__version__"]

__version__ = "0.1.0"
