"""A model repository on disk: a folder a model, each put in its place whole, and a README."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from locoexport.errors import OutputError, UsageError
from locoexport.machine.writing.drafts import draft_folder, sweep
from locoexport.machine.writing.replacement import put_in_place
from locoexport.serving.options import ServingOptions, Tensor

__all__ = [
    "TRITON_IMAGE",
    "RepositoryEntry",
    "check_name",
    "client_code",
    "readme_text",
    "tensor_rows",
    "tensor_text",
    "write_repository",
]

TRITON_IMAGE = "nvcr.io/nvidia/tritonserver:24.12-py3"
"""Its ONNX Runtime is 1.20, the oldest that this project supports; newer ones do."""


@dataclass(frozen=True)
class RepositoryEntry:
    """One model's folder: its name, its config.pbtxt if any, and its file (None: an ensemble)."""

    name: str
    config: str | None
    file: Path | None


def write_repository(
    folder: Path,
    entries: Sequence[RepositoryEntry],
    readme: str,
    *,
    force: bool,
    texts: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """Write models into a repository, which may hold others; returns all files written.

    The folder is made where its parent exists. Everything is written beside it and then put in
    place: a server that watches the repository never sees half a model, and whatever fails, it
    has all of the old ones or all of the new (``machine.writing.replacement``).

    Args:
        folder: the repository.
        entries: the models; the last is the one that clients ask.
        readme: text of ``README-<last model's name>.md``.
        force: replace models of these names.
        texts: name → text of other files of the repository, which are replaced in any case.

    Raises:
        OutputError: the parent does not exist, a model of that name is there already and ``force``
            is not given, or the disk refuses.
    """
    if not folder.parent.is_dir():
        raise OutputError(
            f"The folder {folder.parent} does not exist; make it first (mkdir -p {folder.parent})."
        )
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder.")
    real = Path(os.path.realpath(folder))
    sweep(real.parent)
    note = f"README-{entries[-1].name}.md"
    names = [*(entry.name for entry in entries), note]
    taken = [folder / name for name in names if os.path.lexists(folder / name)]
    if taken and not force:
        raise OutputError(
            f"{taken[0]} exists already; pass --force to replace it, or choose another --name."
        )
    _check_apart(real, entries)
    files = {note: readme, **(texts or {})}
    try:
        with draft_folder(real.parent) as drafts:
            draft = drafts / real.name
            draft.mkdir()
            for entry in entries:
                _write_entry(draft / entry.name, entry)
            for name, text in files.items():
                (draft / name).write_text(text, encoding="utf-8")
            moves = [(draft, real)]
            if real.is_dir():
                places = (*(entry.name for entry in entries), *files)
                moves = [(draft / name, real / name) for name in places]
            put_in_place(drafts, moves)
    except OSError as error:
        raise OutputError(f"Cannot write {folder}: {error.strerror or error}.") from error
    written = (p for e in entries for p in sorted((folder / e.name).rglob("*.*")))
    return (*written, *(folder / name for name in files))


def _check_apart(real: Path, entries: Sequence[RepositoryEntry]) -> None:
    """Raises OutputError where a model that is read lies in what would be replaced."""
    for entry in entries:
        for source in (each.file for each in entries if each.file is not None):
            if real / entry.name in Path(os.path.realpath(source)).parents:
                raise OutputError(
                    f"{source}, which is read, is in {real / entry.name}, which would be "
                    "replaced; choose another --name or folder."
                )


def _write_entry(folder: Path, entry: RepositoryEntry) -> None:
    # An ensemble needs an empty folder of its version.
    (folder / "1").mkdir(parents=True)
    if entry.config is not None:
        (folder / "config.pbtxt").write_text(entry.config, encoding="utf-8")
    if entry.file is not None:
        shutil.copyfile(entry.file, folder / "1" / "model.onnx")


def check_name(name: str) -> str:
    """A name that can be a folder's and part of a URL.

    Raises:
        UsageError: it cannot.
    """
    if not name or not all(c.isalnum() or c in "_-." for c in name) or name.startswith("."):
        raise UsageError(f"A model is named by letters, digits, _, - and ., not {name!r}.")
    return name


def readme_text(
    entries: Sequence[RepositoryEntry],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    options: ServingOptions,
    facts: Sequence[str],
) -> str:
    """How to start a server over this repository and ask it, as Markdown."""
    name = entries[-1].name
    gpu = " --gpus all" if options.device != "cpu" else ""
    engines = " -v locoexport-engines:/engines" if options.tensorrt else ""
    parts = (
        ""
        if len(entries) == 1
        else (
            f"\n`{name}` is an ensemble. A request passes through "
            f"{', '.join(f'`{entry.name}`' for entry in entries[:-1])}; the tensors between them "
            "stay in the server.\n"
        )
    )
    return f"""# {name} on NVIDIA Triton

Written by `locoexport package`. {" ".join(facts)}
{parts}
## Start the server

In the folder that holds this file:

    docker run --rm{gpu} --shm-size=1g -p 8000:8000 -p 8001:8001 -p 8002:8002 \\
        -v "$PWD":/models{engines} {TRITON_IMAGE} \\
        tritonserver --model-repository=/models --disable-auto-complete-config \\
        --model-control-mode=explicit --load-model={name}

Later images work too. To check that the model is ready, and to see its configuration:

    curl -fsS localhost:8000/v2/models/{name}/ready && echo ready
    curl -fsS localhost:8000/v2/models/{name}/config

## Send a request

    pip install 'tritonclient[http]' numpy

```python
{client_code(name, inputs, outputs, options)}```

## Inputs and outputs

{tensor_rows(inputs, outputs)}
{tensor_text(inputs)}

## Batching

{_batching_note(options, inputs)}
"""


def client_code(
    name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], options: ServingOptions
) -> str:
    """Python that asks a server on this machine once, by the protocol that both servers speak."""
    axes = {"batch": 1, "frames": options.frames.usual, "points": options.points.usual}
    video, queries = (tensor.sizes(**axes) for tensor in inputs)
    kind = {"TYPE_FP32": "float32", "TYPE_FP16": "float16", "TYPE_UINT8": "uint8"}
    wire = {"TYPE_FP32": "FP32", "TYPE_FP16": "FP16", "TYPE_UINT8": "UINT8"}
    types = [tensor.data_type for tensor in inputs]
    return f"""import numpy as np
import tritonclient.http as triton

video = np.zeros({video}, np.{kind[types[0]]})
queries = np.zeros({queries}, np.{kind[types[1]]})
inputs = [
    triton.InferInput("{inputs[0].name}", list(video.shape), "{wire[types[0]]}"),
    triton.InferInput("{inputs[1].name}", list(queries.shape), "{wire[types[1]]}"),
]
inputs[0].set_data_from_numpy(video)
inputs[1].set_data_from_numpy(queries)
client = triton.InferenceServerClient("localhost:8000", network_timeout=600, connection_timeout=600)
answer = client.infer("{name}", inputs)
print({", ".join(f'answer.as_numpy("{tensor.name}").shape' for tensor in outputs)})
"""


def tensor_rows(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
    """A table of inputs and outputs."""
    return "| tensor | type | shape |\n|---|---|---|\n" + "".join(
        f"| `{t.name}` | {t.data_type} | ({', '.join(map(str, t.shape))}) |\n"
        for t in (*inputs, *outputs)
    )


def tensor_text(inputs: Sequence[Tensor]) -> str:
    """What inputs and outputs mean."""
    frames = (
        "holds RGB frames of any size, unscaled"
        if inputs[0].data_type == "TYPE_UINT8"
        else "holds RGB frames scaled to that height and width, as pixel / 255 * 2 - 1"
    )
    return f"""- `video_input` {frames}.
- `query_input` holds (t, y, x): each query's frame and its position, in pixels of those frames.
- `tracks` holds (x, y) in the same pixels.
- `occlusion` and `expected_dist` are logits. A point is visible in a frame where
  1 - (1 - s(occlusion)) * (1 - s(expected_dist)) <= 0.5, with s(v) = 1 / (1 + exp(-v))."""


def _batching_note(options: ServingOptions, inputs: Sequence[Tensor]) -> str:
    if inputs[0].shape[0] != "batch":
        return "The batch size of the file is fixed, so the server does not batch requests."
    return (
        "The server stacks requests with equal numbers of frames and points, up to "
        f"{options.max_batch} clips, and answers all others one by one.\nRequests batch better if "
        "clients pad their clips to a few common lengths."
    )
