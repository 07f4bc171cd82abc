"""The metadata properties of a model: lines of KEY=VALUE, over those of a sound file."""

from pathlib import Path

from locoexport.contract.metadata import METADATA_PREFIX, ArtifactMetadata

SUFFIX = ".txt"

SOUND = {
    "schema": "locoexport.artifact/1",
    "version": "0.1.0",
    "profile": "b0-tiny",
    "variant": "b0-tiny",
    "resolution": "256x256",
    "opset": "17",
    "precision": "fp32",
    "sampling": "gather",
    "rewrites": "",
    "weights": "seeded",
    "simplifier": "none",
    "torch": "2.13.0",
    "parity": "unverified",
}


def read(path: Path) -> None:
    """What every command that opens a model does with it."""
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    said = dict(line.partition("=")[::2] for line in text.splitlines())
    values = {METADATA_PREFIX + name: value for name, value in {**SOUND, **said}.items()}
    found = ArtifactMetadata.from_properties(values)
    assert ArtifactMetadata.from_properties(found.to_properties()).resolution_hw
