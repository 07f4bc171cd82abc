"""The name of a checkpoint to download, as text; nobody is asked."""

from pathlib import Path

from locoexport.machine.web_address import parse_web_address, redact_address
from locoexport.pipeline.weights.hub_file import HubFile, parse_hub_file, parse_hub_repository
from locoexport.pipeline.weights.sources import is_remote, parse_source

SUFFIX = ".txt"


def read(path: Path) -> None:
    """What ``export --checkpoint`` does with it before it asks anybody."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    assert redact_address(text).isprintable()
    if is_remote(text):
        source = parse_source(text)
        if isinstance(source, HubFile):
            assert parse_hub_file(source.address) == source
            assert parse_hub_repository(source.repository.address) == source.repository
    address = parse_web_address(text)
    assert len(address.file_name.encode()) <= 150
    assert address.shown.isprintable()
    assert address.origin[2] > 0
