"""A model for OpenVINO Model Server: its folder, its entry in config.json, and a README.

The file is served as it is: OpenVINO reads ONNX. What the fields mean is the server's page on its
configuration file; ``plugin_config`` goes to OpenVINO, whose names ``compile_model`` checks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from locoexport.errors import InputError, OutputError, UsageError
from locoexport.machine.reading.documents import read_json
from locoexport.machine.writing.drafts import sweep
from locoexport.serving.options import ServingOptions, Tensor
from locoexport.serving.repository import (
    RepositoryEntry,
    client_code,
    tensor_rows,
    tensor_text,
    write_repository,
)

__all__ = [
    "OPENVINO_IMAGE",
    "check_options",
    "compile_settings",
    "model_entry",
    "server_readme",
    "write_server",
]

OPENVINO_IMAGE = "openvino/model_server:latest"
_CONFIG = "config.json"
_LIST = "model_config_list"


def check_options(options: ServingOptions) -> None:
    """Refuse what is Triton's alone.

    Raises:
        UsageError: TensorRT or batching by the server was asked for.
    """
    usual = ServingOptions()
    for name in ("tensorrt", "precision", "max_batch"):
        if getattr(options, name) != getattr(usual, name):
            raise UsageError(f"--{name.replace('_', '-')} is Triton's; leave it out.")


def compile_settings(options: ServingOptions) -> dict[str, Any]:
    """OpenVINO's own settings: float32 where a processor would take bf16, and as many streams."""
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    if options.instances > 1:
        settings["NUM_STREAMS"] = options.instances
    if options.threads is not None:
        settings["INFERENCE_NUM_THREADS"] = options.threads * options.instances
    return settings


def model_entry(name: str, options: ServingOptions) -> dict[str, Any]:
    """What config.json says of a model whose folder the server sees as /models/NAME."""
    return {
        "name": name,
        "base_path": f"/models/{name}",
        "target_device": options.device.upper(),
        "nireq": options.instances,
        "plugin_config": compile_settings(options),
    }


def write_server(
    folder: Path, file: Path, entry: Mapping[str, Any], readme: str, *, force: bool
) -> tuple[Path, ...]:
    """Write the model's folder, README and entry together; others in config.json stay.

    Raises:
        OutputError: as ``write_repository``; or there is a config.json that is not the server's.
    """
    sweep(Path(os.path.realpath(folder)).parent)  # it may put a config.json in its place
    entries = [each for each in _read_entries(folder / _CONFIG) if each["name"] != entry["name"]]
    model = RepositoryEntry(entry["name"], None, file)
    document = {_LIST: [{"config": each} for each in (*entries, entry)]}
    config = json.dumps(document, indent=2) + "\n"
    return write_repository(folder, [model], readme, force=force, texts={_CONFIG: config})


def _read_entries(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        document = read_json(path, path)
        entries = [dict(each["config"]) for each in document[_LIST]]
        if set(document) != {_LIST} or not all(isinstance(each["name"], str) for each in entries):
            raise KeyError(_LIST)
    except (OSError, InputError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{path} exists but is not the configuration of an OpenVINO Model Server ({error!r}); "
            "choose another folder."
        ) from None
    return entries


def server_readme(
    name: str,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    options: ServingOptions,
    facts: Sequence[str],
) -> str:
    """How to start the server over this folder and ask it, as Markdown."""
    gpu = " --device /dev/dri" if options.device != "cpu" else ""
    return f"""# {name} on OpenVINO Model Server

Written by `locoexport package`. {" ".join(facts)}

## Start the server

In the folder that holds this file:

    docker run --rm{gpu} -p 8000:8000 -p 9000:9000 -v "$PWD":/models:ro {OPENVINO_IMAGE} \\
        --config_path /models/{_CONFIG} --rest_port 8000 --port 9000

To check that the model is ready, and to see how the server describes it:

    curl -fsS localhost:8000/v2/models/{name}/ready && echo ready
    curl -fsS localhost:8000/v2/models/{name}

## Send a request

OpenVINO Model Server and Triton use the same protocol, so Triton's client works:

    pip install 'tritonclient[http]' numpy

```python
{client_code(name, inputs, outputs, options)}```

## Inputs and outputs

{tensor_rows(inputs, outputs)}
{tensor_text(inputs)}

The server does not stack requests. One request may hold several clips with equal numbers of frames
and points.
"""
