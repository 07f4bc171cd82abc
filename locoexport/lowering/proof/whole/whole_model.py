"""Two whole models, run side by side at sizes that neither of them states.

Node by node, a proof takes each node's surroundings as they are told. What is told may be untrue:
a batch of 1 that an exporter wrote where the input is open is only found out at a batch of 2. So
every open axis of the inputs is given lengths of its own, twice, and the models have to agree.

How far apart two right models are depends on the model: it may amplify a rounding of 1e-7. So its
own sensitivity is measured in the same run: inputs moved by some units in the last place, and the
original optimised against the original as it is. A wrong length or batch makes differences as large
as the values themselves, which no allowance reaches: where it would, nothing is proven.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from locoexport.graphs.walking import iterate_graphs, iterate_nodes
from locoexport.lowering.proof.cut_out import NotProvenError
from locoexport.lowering.proof.runners import brief, one_thread_options
from locoexport.lowering.proof.whole.whole_comparison import Comparison, compare_outputs, worst_of
from locoexport.lowering.proof.whole.whole_inputs import (
    Binding,
    ModelInput,
    bindings,
    integer_kinds,
    make_arrays,
    moved,
    read_inputs,
)
from locoexport.notices import Listener, Notice, ignore

__all__ = [
    "RUNNING_REWRITTEN",
    "Model",
    "Traits",
    "WholeModelProof",
    "not_proven",
    "prove_whole_model",
    "traits_of",
]

RUNNING_REWRITTEN = "running the rewritten model"
"""The notice before each step of the rewritten model."""
_RUNNING_ORIGINAL = "running the original model"
_SECONDS = 20.0
"""Of processor time to look for sizes; what has begun is finished."""
_RUN_SECONDS = 20.0
"""Of one run of either model; what takes longer is stopped."""
_TOOK_LONG = f"it takes longer than {_RUN_SECONDS:.0f} s"
_WANTED = 2
_FOR_WINDOWS = 16
"""Lengths below it are not tried where averages are pooled."""
_HALF = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate", "memoryerror")
_FOLDER_KEY = "session.model_external_initializers_file_folder_path"

Model = Path | bytes
"""A model's file, or a model in memory."""
Arrays = list[NDArray[np.generic]]


@dataclass(frozen=True)
class WholeModelProof:
    """How far apart two models were, and at which sizes (``n=2, d=5``) both were run.

    ``allowed`` is for the output with the ``worst_difference``, and ``origin`` says where it is
    from; of outputs that are no floats both are shares of their values. ``unproven`` is the reason
    where nothing could be said, ``failure`` what went wrong where the rewritten model did not run,
    ``note`` what else there is to know.
    """

    sizes: tuple[str, ...] = ()
    worst_difference: float = 0.0
    allowed: float = 0.0
    values: int = 0
    origin: str = ""
    unproven: str = ""
    failure: str = ""
    note: str = ""
    complete: bool = False
    """Whether each open axis had two lengths, none of them forced by what the original takes."""
    exhausted: bool = False
    """Whether the original took too much time or memory to be run."""

    @property
    def original_ran(self) -> bool:
        """Whether there was anything to compare with."""
        return bool(self.sizes)

    @property
    def passed(self) -> bool:
        """False where the two are known to differ."""
        return not self.failure and (bool(self.unproven) or self.worst_difference <= self.allowed)


def not_proven(reason: str) -> WholeModelProof:
    """No proof, and why."""
    return WholeModelProof(unproven=reason)


@dataclass(frozen=True)
class Traits:
    """What of a model decides how it is tried: ``half``, whether it computes in 16 bits;
    ``averages``, whether it pools averages, and so is tried at lengths that hold many windows: what
    comes of less than one is left open by ONNX, and kernels differ in it.
    """

    half: bool = False
    averages: bool = False


def traits_of(model: onnx.ModelProto) -> Traits:
    """Those of a model."""
    averages = any(node.op_type == "AveragePool" for node in iterate_nodes(model))
    return Traits(_computes_in_half(model), averages)


def _computes_in_half(model: onnx.ModelProto) -> bool:
    """Whether values of 16 bits are anywhere in the model: rounding is as coarse as these."""
    for graph in iterate_graphs(model):
        if any(tensor.data_type in _HALF for tensor in graph.initializer):
            return True
        stated = (*graph.input, *graph.output, *graph.value_info)
        if any(value.type.tensor_type.elem_type in _HALF for value in stated):
            return True
    return any(
        attribute.i in _HALF if attribute.name == "to" else attribute.t.data_type in _HALF
        for node in iterate_nodes(model)
        for attribute in node.attribute
        if (node.op_type == "Cast" and attribute.name == "to") or attribute.HasField("t")
    )


def prove_whole_model(
    original: Model,
    rewritten: Model,
    *,
    traits: Traits,
    folder: Path | None = None,
    notify: Listener = ignore,
) -> WholeModelProof:
    """Run both in ONNX Runtime on the CPU, at two bindings of the open axes, or at the fixed sizes.

    Args:
        original: a model's file, or a model in memory.
        rewritten: the other one's.
        traits: what of the models matters here.
        folder: where external data of models in memory lies.
        notify: is told before every step of either model, so that each can be held to a time.

    Returns:
        The proof. What cannot be run is told as not proven, with the reason.
    """
    try:
        trials = _trials(original, folder, notify, traits=traits)
        return _prove(trials, rewritten, folder, notify, traits=traits)
    except NotProvenError as reason:
        told = str(reason)
        return WholeModelProof(unproven=told, exhausted=_is_exhausted(told))


@dataclass(frozen=True)
class _Trial:
    """What the original makes of some inputs, and what else it makes of about the same."""

    binding: Binding
    inputs: dict[str, NDArray[np.generic]]
    made: Arrays
    moved: Arrays
    optimised: Arrays | None = None


def _trials(
    model: Model, folder: Path | None, notify: Listener, *, traits: Traits
) -> tuple[_Trial, ...]:
    """The original at sizes that it runs at; raises NotProvenError where there are none."""
    notify(Notice(_RUNNING_ORIGINAL))
    session = _open(model, folder, optimised=False, shared=False)
    found = _climb(session, read_inputs(session), notify, traits=traits)
    del session
    notify(Notice(_RUNNING_ORIGINAL))
    try:
        session = _open(model, folder, optimised=True, shared=False)
    except NotProvenError:
        return found
    result = []
    for trial in found:
        notify(Notice(_RUNNING_ORIGINAL))
        optimised = _run(session, trial.inputs)
        result.append(trial if isinstance(optimised, str) else replace(trial, optimised=optimised))
    return tuple(result)


def _climb(
    session: onnxruntime.InferenceSession,
    inputs: Sequence[ModelInput],
    notify: Listener,
    *,
    traits: Traits,
) -> tuple[_Trial, ...]:
    found: list[_Trial] = []
    started, tried, refusal = time.process_time(), 0, "its inputs are too large to try"
    wanted = _WANTED if any(one.open_axes for one in inputs) else 1
    rungs = bindings(inputs, shortest=_FOR_WINDOWS if traits.averages else 1)
    for binding, integers in product(rungs, integer_kinds(inputs)):
        if len(found) == wanted or time.process_time() - started > _SECONDS:
            break
        if found and not binding.differs(found[0].binding):
            continue
        arrays = make_arrays(inputs, binding, integers, len(found))
        trial = _attempt(session, inputs, binding, arrays, notify, traits=traits)
        tried += 1
        if not isinstance(trial, str):
            found.append(trial)
            continue
        refusal = trial
        if _is_exhausted(refusal):
            break
    if not found:
        count = f" ({tried} were tried)" if tried > 1 else ""
        raise NotProvenError(f"the original ran at no size{count}: {refusal}")
    return tuple(found)


def _attempt(
    session: onnxruntime.InferenceSession,
    inputs: Sequence[ModelInput],
    binding: Binding,
    arrays: Arrays,
    notify: Listener,
    *,
    traits: Traits,
) -> _Trial | str:
    """The original on these inputs and on nearly the same, or why it does not run."""
    names = [one.name for one in inputs]
    outputs = []
    for values in (arrays, moved(arrays, half=traits.half)):
        notify(Notice(_RUNNING_ORIGINAL))
        made = _run(session, dict(zip(names, values, strict=True)))
        if isinstance(made, str):
            return made
        outputs.append(made)
    return _Trial(binding, dict(zip(names, arrays, strict=True)), *outputs)


def _prove(
    trials: Sequence[_Trial],
    model: Model,
    folder: Path | None,
    notify: Listener,
    *,
    traits: Traits,
) -> WholeModelProof:
    sizes = tuple(trial.binding.told or "the fixed sizes" for trial in trials)
    wanted = _WANTED if trials[0].binding.told else 1
    complete = len(trials) == wanted and all(trial.binding.free for trial in trials)
    notify(Notice(RUNNING_REWRITTEN))
    try:
        session = _open(model, folder, optimised=True, shared=True)
    except NotProvenError as error:
        return _refused(sizes, str(error))
    compared: list[Comparison] = []
    for trial, size in zip(trials, sizes, strict=True):
        notify(Notice(RUNNING_REWRITTEN))
        made = _run(session, trial.inputs)
        if isinstance(made, str):
            return _refused(sizes, made, size)
        own = [trial.moved] if trial.optimised is None else [trial.moved, trial.optimised]
        compared.append(compare_outputs(trial.made, own, made, half=traits.half))
    note = "" if complete else "the original was not seen to run at other lengths"
    return replace(_concluded(sizes, compared), complete=complete, note=note)


def _concluded(sizes: tuple[str, ...], compared: Sequence[Comparison]) -> WholeModelProof:
    worst = worst_of(compared)
    proof = WholeModelProof(
        sizes=sizes,
        worst_difference=worst.difference,
        allowed=worst.allowed,
        values=sum(one.values for one in compared),
        origin=worst.origin,
    )
    if worst.unstable:
        return replace(proof, unproven=f"unstable: {worst.unstable}")
    if not worst.passed:
        return proof
    if all(one.empty for one in compared):
        return replace(proof, unproven="on random inputs its outputs are constant, or no numbers")
    return proof


def _refused(sizes: tuple[str, ...], reason: str, size: str = "") -> WholeModelProof:
    if _is_exhausted(reason):
        told = f"the rewritten model takes too much: {reason}"
        return WholeModelProof(sizes=sizes, unproven=told)
    if size:
        reason = f"at {size} it does not run, and the original does: {reason}"
    return WholeModelProof(sizes=sizes, failure=reason)


def _open(
    model: Model, folder: Path | None, *, optimised: bool, shared: bool
) -> onnxruntime.InferenceSession:
    """``shared``: values share buffers, as where the model is used.

    Planning that takes ONNX Runtime most of the time of loading thousands of nodes, and a false
    shape makes it share wrongly. So the rewritten model shares, where such a fault has to be found,
    and what it is held against does not.
    """
    options = one_thread_options(optimised=optimised)
    options.enable_mem_reuse = shared
    if folder is not None:
        options.add_session_config_entry(_FOLDER_KEY, str(folder))
    given = str(model) if isinstance(model, Path) else model
    try:
        return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise NotProvenError(f"ONNX Runtime does not load it: {brief(error)}") from error


def _run(
    session: onnxruntime.InferenceSession, inputs: dict[str, NDArray[np.generic]]
) -> Arrays | str:
    """What a model makes of the inputs, or its runtime's words where it does not run."""
    options = onnxruntime.RunOptions()
    watch = threading.Timer(_RUN_SECONDS, setattr, (options, "terminate", True))
    watch.start()
    try:
        found = session.run(None, inputs, options)
        flat = [one for value in found for one in (value if isinstance(value, list) else [value])]
        return [np.asarray(one) for one in flat]
    except Exception as error:  # its errors have no common class
        return _TOOK_LONG if options.terminate else brief(error)
    finally:
        watch.cancel()


def _is_exhausted(refusal: str) -> bool:
    """Whether time or memory ran out: larger sizes take more of both."""
    return _TOOK_LONG in refusal or any(word in refusal.lower() for word in _OUT_OF_MEMORY)
