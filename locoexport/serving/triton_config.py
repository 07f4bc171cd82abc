"""config.pbtxt of NVIDIA Triton's model repository, for one file and for the ensemble of a split.

What the fields mean is Triton's ``model_config.proto``; ``triton_schema`` checks against it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from locoexport.serving.options import ServedModel, ServingOptions, Tensor

__all__ = ["ensemble_config", "model_config", "sequence_config"]

_QUEUE_DELAY_US = 2000
_WORKSPACE_BYTES = 4 << 30
_IDLE_US = 60_000_000
"""A sequence that is silent for so long is forgotten."""
_SEQUENCES = 64
"""Sequences whose requests are stacked; others wait for one of them to end."""


def model_config(model: ServedModel, options: ServingOptions) -> str:
    """config.pbtxt of one .onnx file.

    Requests are batched where the file's batch is dynamic; Triton then stacks those of equal
    frames and points.
    """
    batched = model.batch_is_dynamic
    fields: list[tuple[str, Any]] = [
        ("name", model.name),
        ("platform", "onnxruntime_onnx"),
        ("default_model_filename", "model.onnx"),
        ("max_batch_size", options.max_batch if batched else 0),
        *(("input", _tensor(tensor, batched)) for tensor in model.inputs),
        *(("output", _tensor(tensor, batched)) for tensor in model.outputs),
        ("instance_group", _instance_group(options)),
    ]
    if batched:
        delay = [("max_queue_delay_microseconds", _QUEUE_DELAY_US)]
        fields.append(("dynamic_batching", delay if options.max_batch > 1 else []))
    if options.tensorrt:
        fields.append(("optimization", _tensorrt(model, options)))
    fields += [("parameters", entry) for entry in _parameters(options)]
    fields.append(("model_warmup", _warmup(model, options, batched)))
    return _text(fields)


def ensemble_config(name: str, models: Sequence[ServedModel], options: ServingOptions) -> str:
    """config.pbtxt of the models of a split as one, in the order in which they run.

    Its inputs are what no model makes, its outputs what no model takes; in between, tensors go by
    the names they have in the files. Triton batches and warms up the models, not the ensemble.
    """
    batched = all(model.batch_is_dynamic for model in models)
    made = {tensor.name for model in models for tensor in model.outputs}
    taken = {tensor.name for model in models for tensor in model.inputs}
    inputs = {t.name: t for model in models for t in model.inputs if t.name not in made}
    outputs = {t.name: t for model in models for t in model.outputs if t.name not in taken}
    scheduling = [
        (
            "step",
            [
                ("model_name", model.name),
                ("model_version", _Bare("-1")),
                *(("input_map", _same_name(tensor.name)) for tensor in model.inputs),
                *(("output_map", _same_name(tensor.name)) for tensor in model.outputs),
            ],
        )
        for model in models
    ]
    return _text(
        [
            ("name", name),
            ("platform", "ensemble"),
            ("max_batch_size", options.max_batch if batched else 0),
            *(("input", _tensor(tensor, batched)) for tensor in inputs.values()),
            *(("output", _tensor(tensor, batched)) for tensor in outputs.values()),
            ("ensemble_scheduling", scheduling),
        ]
    )


def sequence_config(
    model: ServedModel, state: tuple[Tensor, Tensor], options: ServingOptions
) -> str:
    """config.pbtxt of a file whose answers depend on those before: the server keeps its state.

    ``state`` is the input that is kept and the output that replaces it, of one shape without open
    axes but the batch's; it is zeros where a sequence starts. Clients do not see it. There is no
    warm-up: a request would have to belong to a sequence.
    """
    kept, made = state
    batched = model.batch_is_dynamic
    sizes = kept.sizes()
    initial = [
        ("data_type", _Bare(kept.data_type)),
        ("dims", list(sizes[1:] if batched else sizes)),
        ("zero_data", True),
        ("name", "nothing is known yet"),
    ]
    of_state = [
        ("input_name", kept.name),
        ("output_name", made.name),
        ("data_type", _Bare(kept.data_type)),
        ("dims", list(sizes[1:] if batched else sizes)),
        ("initial_state", initial),
    ]
    batching: list[tuple[str, Any]] = [
        ("max_sequence_idle_microseconds", _IDLE_US),
        ("oldest", [("max_candidate_sequences", _SEQUENCES)]),
        ("state", of_state),
    ]
    return _text(
        [
            ("name", model.name),
            ("platform", "onnxruntime_onnx"),
            ("default_model_filename", "model.onnx"),
            ("max_batch_size", options.max_batch if batched else 0),
            *(("input", _tensor(tensor, batched)) for tensor in model.inputs),
            *(("output", _tensor(tensor, batched)) for tensor in model.outputs),
            ("instance_group", _instance_group(options)),
            ("sequence_batching", batching),
            *(("parameters", entry) for entry in _parameters(options)),
        ]
    )


class _Bare(str):
    """A word that stands without quotes: an enumerator."""


def _tensor(tensor: Tensor, batched: bool) -> list[tuple[str, Any]]:
    sizes = tensor.sizes()
    return [
        ("name", tensor.name),
        ("data_type", _Bare(tensor.data_type)),
        ("dims", list(sizes[1:] if batched else sizes)),
    ]


def _instance_group(options: ServingOptions) -> list[tuple[str, Any]]:
    return [("count", options.instances), ("kind", _Bare(f"KIND_{options.device.upper()}"))]


def _parameters(options: ServingOptions) -> Iterator[list[tuple[str, Any]]]:
    # Measured on the CPU: a memory pattern holds nearly twice the memory and is no faster.
    values = {"enable_mem_pattern": "0"}
    if options.threads is not None:
        values["intra_op_thread_count"] = str(options.threads)
    for key, value in values.items():
        yield [("key", key), ("value", [("string_value", value)])]


def _warmup(model: ServedModel, options: ServingOptions, batched: bool) -> list[tuple[str, Any]]:
    axes = {"batch": 1, "frames": options.frames.usual, "points": options.points.usual}
    inputs = []
    for tensor in model.inputs:
        sizes = tensor.sizes(**axes)
        value = [
            ("data_type", _Bare(tensor.data_type)),
            ("dims", list(sizes[1:] if batched else sizes)),
            ("zero_data", True),
        ]
        inputs.append(("inputs", [("key", tensor.name), ("value", value)]))
    name = f"{axes['frames']} frames, {axes['points']} points"
    return [("name", name), ("batch_size", 1 if batched else 0), *inputs]


def _tensorrt(model: ServedModel, options: ServingOptions) -> list[tuple[str, Any]]:
    parameters = {
        "precision_mode": options.precision,
        "max_workspace_size_bytes": str(_WORKSPACE_BYTES),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": f"/engines/{model.name}",
        **_profile_shapes(model, options),
    }
    accelerator = [
        ("name", "tensorrt"),
        *(("parameters", [("key", key), ("value", value)]) for key, value in parameters.items()),
    ]
    return [("execution_accelerators", [("gpu_execution_accelerator", accelerator)])]


def _profile_shapes(model: ServedModel, options: ServingOptions) -> Mapping[str, str]:
    """Least, usual and largest shapes of the inputs that are dynamic at all."""
    if all(isinstance(size, int) for tensor in model.inputs for size in tensor.shape):
        return {}
    batches = {"least": 1, "usual": 1, "most": options.max_batch}
    names = {"least": "min", "usual": "opt", "most": "max"}
    shapes = {}
    for which, batch in batches.items():
        axes = {
            "batch": batch,
            "frames": getattr(options.frames, which),
            "points": getattr(options.points, which),
        }
        shapes[f"trt_profile_{names[which]}_shapes"] = ",".join(
            f"{tensor.name}:{'x'.join(map(str, tensor.sizes(**axes)))}" for tensor in model.inputs
        )
    return shapes


def _same_name(name: str) -> list[tuple[str, Any]]:
    return [("key", name), ("value", name)]


def _text(fields: Sequence[tuple[str, Any]], indent: str = "") -> str:
    """Protobuf's text format of (field, value) pairs; a list of pairs is a message."""
    lines = []
    for name, value in fields:
        if _is_message(value):
            lines.append(f"{indent}{name} {{\n{_text(value, indent + '  ')}{indent}}}\n")
        else:
            lines.append(f"{indent}{name}: {_literal(value)}\n")
    return "".join(lines)


def _is_message(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, tuple) for item in value)


def _literal(value: Any) -> str:
    if isinstance(value, _Bare):
        return str(value)
    # What JSON writes for text, whole numbers, true and lists of these is protobuf's text as well.
    return json.dumps(value)
