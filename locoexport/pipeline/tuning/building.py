"""A form → its exported file, once: kept in the work folder for the next run."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from pathlib import Path

import onnx

from locoexport.contract.metadata import ArtifactMetadata, TuningStamp
from locoexport.errors import UsageError
from locoexport.lowering.tracker.finishing import to_bytes, with_properties
from locoexport.machine.writing.cache_entries import (
    bytes_of_entry,
    entries_of,
    keep_entry,
    remove,
)
from locoexport.machine.writing.output_files import whole_file
from locoexport.notices import Listener
from locoexport.pipeline.export import export_model
from locoexport.pipeline.tuning.candidates import Form
from locoexport.pipeline.tuning.subject import Subject
from locoexport.runtime.session.single import open_session

__all__ = ["Workshop", "write_tuned"]


class Workshop:
    """Builds each form at most once. A file in float32 was compared with PyTorch on its export."""

    def __init__(self, subject: Subject, folder: Path, notify: Listener) -> None:
        """``folder`` is where the files are kept."""
        self._subject, self._folder, self._notify = subject, folder, notify

    def build(self, form: Form) -> Path:
        """The file of a form.

        Raises:
            UsageError: it would have to be exported, and there are no weights.
            LocoExportError: the export fails, see ``export_model``.
        """
        subject = self._subject
        if subject.given is not None:
            if form == subject.usual:
                return subject.given
            raise UsageError(f"It cannot be exported: {subject.reason}")
        key = f"form-{hashlib.sha256(repr(form).encode()).hexdigest()[:16]}"
        for entry in entries_of(self._folder, key):
            if bytes_of_entry(entry) is not None:
                return entry
            remove(entry)
        temporary = self._folder / f".{key}.{secrets.token_hex(6)}.onnx"
        try:
            # Forced: how far its tracks may move is for the limits of this search to say.
            export_model(
                form.applied_to(subject.profile),
                temporary,
                checkpoint=subject.checkpoint,
                as_pytorch=subject.as_pytorch,
                force=True,
                notify=self._notify,
            )
            return keep_entry(temporary, self._folder, key)
        finally:
            remove(temporary)


def write_tuned(source: Path, output: Path, stamp: TuningStamp) -> None:
    """Write a file that was built, with the evidence in its metadata; it appears whole or not.

    Raises:
        OutputError: it cannot be written.
        ModelFileError: what was written cannot be opened again.
    """
    model = onnx.load(source)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    metadata = replace(ArtifactMetadata.from_properties(properties), tuning=stamp)
    cost = metadata.cost
    if cost is not None:  # ``verify`` holds it to the limit of this search too
        limits = [limit for limit in (cost.limit_px, stamp.limit_px) if limit is not None]
        metadata = replace(metadata, cost=replace(cost, limit_px=min(limits)))
    model = with_properties(model, metadata.to_properties())
    with whole_file(output) as draft:
        draft.write_bytes(to_bytes(model))
        open_session(draft)
