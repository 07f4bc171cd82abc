"""A live export for Triton: the server keeps what was answered, a sequence for each camera.

Clients ask two ensembles. ``NAME_start`` (encoder, query sampler) says what points look like in a
frame; ``NAME`` (encoder, the newest frame) says where they are in the next one, with the memory as
implicit state of a sequence. A state has one shape, so that points and window are fixed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from locoexport.contract.interface import FileRole
from locoexport.serving.options import ServedModel, ServingOptions, Tensor
from locoexport.serving.repository import TRITON_IMAGE, RepositoryEntry, tensor_rows, tensor_text
from locoexport.serving.triton_config import ensemble_config, model_config, sequence_config

__all__ = ["LiveModels", "live_readme", "pin_live_models"]


@dataclass(frozen=True)
class LiveModels:
    """The three files as they are served, and the state of the newest frame's.

    ``newest`` has neither of the two tensors of ``state`` among its own.
    """

    name: str
    encoder: ServedModel
    query: ServedModel
    newest: ServedModel
    state: tuple[Tensor, Tensor]

    @property
    def points(self) -> int:
        """How many every request has."""
        return self.state[0].sizes()[1]

    @property
    def window(self) -> int:
        """Frames that are looked at, the newest included."""
        return self.state[0].sizes()[2] + 1

    def entries(
        self, files: Mapping[FileRole, Path], options: ServingOptions
    ) -> list[RepositoryEntry]:
        """Three models, and the two ensembles that clients ask; ``files`` by role."""
        configs = (
            (self.encoder, model_config(self.encoder, options), files["encoder"]),
            (self.query, model_config(self.query, options), files["query"]),
            (self.newest, sequence_config(self.newest, self.state, options), files["live"]),
        )
        start = f"{self.name}_start"
        return [
            *(RepositoryEntry(model.name, config, file) for model, config, file in configs),
            RepositoryEntry(
                start, ensemble_config(start, (self.encoder, self.query), options), None
            ),
            RepositoryEntry(
                self.name, ensemble_config(self.name, (self.encoder, self.newest), options), None
            ),
        ]


def pin_live_models(
    name: str, served: Sequence[ServedModel], memory: tuple[str, str], points: int, window: int
) -> LiveModels:
    """The files with one frame, so many points and so many frames of memory.

    Args:
        name: of the ensemble that is asked for every frame.
        served: encoder, query sampler and the newest frame's file, as they are.
        memory: the names of the state's input and output.
        points: of a request, where the files leave it open.
        window: frames that are looked at, where the file leaves it open.
    """
    axes = {"frames": 1, "points": points, "past": window - 1}
    encoder, query, whole = (
        ServedModel(
            model.name,
            tuple(tensor.pinned(**axes) for tensor in model.inputs),
            tuple(tensor.pinned(**axes) for tensor in model.outputs),
        )
        for model in served
    )
    kept, made = memory
    state = (
        next(tensor for tensor in whole.inputs if tensor.name == kept),
        next(tensor for tensor in whole.outputs if tensor.name == made),
    )
    newest = ServedModel(
        whole.name,
        tuple(tensor for tensor in whole.inputs if tensor.name != kept),
        tuple(tensor for tensor in whole.outputs if tensor.name != made),
    )
    return LiveModels(name, encoder, query, newest, state)


def live_readme(models: LiveModels, options: ServingOptions, facts: Sequence[str]) -> str:
    """How to start a server over the repository and follow points, as Markdown."""
    name, gpu = models.name, " --gpus all" if options.device != "cpu" else ""
    video = models.encoder.inputs[0].sizes(batch=1)
    supports = [tensor.name for tensor in models.query.outputs]
    height, width = video[2:4]
    grids = {tensor.name for tensor in models.encoder.outputs}
    asked = [tensor for tensor in models.newest.inputs if tensor.name not in grids]
    return f"""# {name}, live, on NVIDIA Triton

Written by `locoexport package`. {" ".join(facts)}

Clients send requests to two models:

- `{name}_start` returns what points look like in a frame (their supports);
- `{name}` returns where the points are in the next frame.

The server keeps a sequence for each camera: its answers for {models.points} points in the newest
{models.window} frames. With fewer points, repeat one of them. The server forgets a sequence that
sends nothing for a minute.

## Start the server

In the folder that holds this file:

    docker run --rm{gpu} --shm-size=1g -p 8000:8000 -p 8001:8001 -p 8002:8002 \\
        -v "$PWD":/models {TRITON_IMAGE} \\
        tritonserver --model-repository=/models --disable-auto-complete-config \\
        --model-control-mode=explicit --load-model={name} --load-model={name}_start

Later images work too.

## Follow points

    pip install 'tritonclient[http]' numpy

```python
import numpy as np
import tritonclient.http as triton

client = triton.InferenceServerClient("localhost:8000", network_timeout=600, connection_timeout=600)


def given(name, values):
    tensor = triton.InferInput(name, list(values.shape), "FP32")
    tensor.set_data_from_numpy(values)
    return tensor


frames = np.zeros((10, {height}, {width}, 3), np.float32)  # yours: RGB in -1 to 1
queries = np.zeros((1, {models.points}, 3), np.float32)  # yours: (0, y, x) in the first frame
supports = []
for index, frame in enumerate(frames):
    inputs = [given("video_input", frame[None, None]), given("query_input", queries)]
    if index == 0:
        start = client.infer("{name}_start", inputs)
        supports = [given(each, start.as_numpy(each)) for each in {supports}]
    found = client.infer(
        "{name}",
        [*inputs, *supports],
        sequence_id=1,  # another number for each camera
        sequence_start=index == 0,
        sequence_end=index == len(frames) - 1,
    )
    print(found.as_numpy("tracks")[0, :, 0])  # (points, 2) as (x, y)
    queries[..., 0] = -1  # from now on, the queries are in an earlier frame
```

## Inputs and outputs

{tensor_rows((*models.encoder.inputs, *asked), models.newest.outputs)}
{tensor_text(models.encoder.inputs)}

Here `t` is counted from the newest frame: 0 pins a point in it.
"""
