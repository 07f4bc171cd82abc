"""Weights as JAX writes them: a .npy around a pickle, a .npz, a tar."""

from pathlib import Path

from locoexport.network.jax_checkpoint import is_jax_checkpoint, read_jax_checkpoint

SUFFIX = ".npy"


def read(path: Path) -> None:
    """What ``export --checkpoint`` reads."""
    is_jax_checkpoint(path)
    read_jax_checkpoint(path)
