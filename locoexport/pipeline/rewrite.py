"""Any .onnx → an equal one that runs in more places, each rewritten node proven."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import get_args

import onnx
import onnx_ir as ir

from locoexport.contract.metadata import METADATA_PREFIX
from locoexport.errors import GraphCheckFailedError, ModelFileError, UsageError
from locoexport.graphs.external_data import (
    check_external_files,
    has_external_data,
    staging_folder,
    with_small_tensors,
)
from locoexport.graphs.grafting import graft
from locoexport.graphs.inference import infer_shapes
from locoexport.graphs.reading import read_model
from locoexport.graphs.walking import count_nodes
from locoexport.lowering.opset.newer_operators import (
    LeftNode,
    NewerOperators,
    is_newer,
    newer_names,
)
from locoexport.lowering.opset.single_axis_squeeze import SingleAxisSqueeze
from locoexport.lowering.opset.versions import LOWEST_OPSET, default_opset, lower_opset
from locoexport.lowering.volumetric.grid_sample import (
    LOWERINGS,
    LoweredSample,
    Lowering,
    VolumetricGridSample,
    volumetric_left,
)
from locoexport.lowering.volumetric.local_functions import (
    inline_functions_with,
    inline_volumetric_functions,
)
from locoexport.machine.output_files import check_output, whole_file
from locoexport.notices import Listener, Notice, ignore
from locoexport.pipeline.rewriting.proof import (
    Rewritten,
    of_expanded,
    of_opset,
    of_sample,
    of_squeeze,
    prove_all,
)
from locoexport.pipeline.rewriting.report import NodeRewrite, RewriteFailedError, RewriteReport
from locoexport.pipeline.rewriting.validity import check_still_loads, check_still_valid

__all__ = [
    "DEFAULT_LOWERING",
    "PASS_NAMES",
    "NodeRewrite",
    "RewriteFailedError",
    "RewriteReport",
    "rewrite",
    "rewrite_file",
]

DEFAULT_LOWERING: Lowering = "gather"
VOLUMETRIC, SQUEEZE = "volumetric-gridsample", "single-axis-squeeze"
NEWER, OPSET = "newer-operators", "opset"
PASS_NAMES = (VOLUMETRIC, SQUEEZE, NEWER, OPSET)
_HIGHEST_TARGET = 20
_SQUEEZE_OPSET = 13
_VOLUMETRIC_OPSET = 20
_OPSET_PROPERTY = f"{METADATA_PREFIX}opset"


def rewrite(
    model: onnx.ModelProto,
    *,
    to: Lowering = DEFAULT_LOWERING,
    opset: int | None = None,
    passes: Sequence[str] = (),
    check: bool = True,
    folder: str | Path | None = None,
    notify: Listener = ignore,
) -> RewriteReport:
    """An equal model without volumetric GridSample, each rewritten node proven.

    Args:
        model: any model; it is not changed. Weights may be external.
        to: ``gather`` (no GridSample at all; the default) or ``planar`` (4D GridSample).
        opset: bring the model down to this opset, 16 to 20, where every operator allows it.
        passes: names out of ``PASS_NAMES``; by default ``volumetric-gridsample``. An ``opset``
            adds ``opset``, and ``newer-operators`` unless ``opset`` is named here without it.
        check: prove each rewritten node, and check the whole model.
        folder: where the model's external data lies, if it has any.
        notify: is told of every step.

    Returns:
        The report; ``report.model`` is the new model, or ``model`` where nothing was to be done.

    Raises:
        UsageError: an unknown pass or lowering, or an opset that is out of reach.
        ModelFileError: the model cannot be understood, or samples a volume cubically.
        GraphCheckFailedError: something cannot be rewritten (an unknown rank, an operator that the
            opset does not know), or the result is not valid.
        RewriteFailedError: a proof failed.
    """
    started = time.perf_counter()
    folder = None if folder is None else Path(folder)
    chosen = _choose_passes(passes, to, opset)
    before = default_opset(model)
    if before is None:
        raise ModelFileError("The model imports no version of the default domain; it is damaged.")
    if opset is not None and before < opset:
        raise UsageError(
            f"The model is at opset {before}; it can be brought down, not up to {opset}. "
            "Leave --opset out."
        )
    inlined: tuple[str, ...] = ()
    current = model
    if VOLUMETRIC in chosen:
        current, inlined = inline_volumetric_functions(current)
    if opset is not None and NEWER in chosen:
        newer = newer_names(before, opset)
        current, more = inline_functions_with(current, lambda node: is_newer(node, newer))
        inlined += more
    current, done = _run_passes(current, chosen, to, opset, folder, notify)
    if opset is not None:
        _check_ranks(current, opset, folder)
        notify(Notice(f"bringing opset {before} down to {opset}"))
        lowered = lower_opset(current, opset)
        done += of_opset(lowered, with_small_tensors(current, folder), before, opset, OPSET)
        current = _with_true_opset(lowered.model, opset)
    report = RewriteReport(
        model=current,
        passes=chosen,
        to=to,
        rewritten=tuple(rewritten.node for rewritten in done),
        inlined_functions=inlined,
        opset_before=before,
        opset_after=default_opset(current) or 0,
        nodes_before=count_nodes(model),
        nodes_after=count_nodes(current),
        seconds=0.0,
    )
    if check:
        opsets = (before, report.opset_after)
        report = replace(report, rewritten=prove_all(done, opsets, notify))
        _check(model, report, folder)
    return replace(report, seconds=time.perf_counter() - started)


def rewrite_file(
    source: str | Path,
    output: str | Path,
    *,
    to: Lowering = DEFAULT_LOWERING,
    opset: int | None = None,
    passes: Sequence[str] = (),
    check: bool = True,
    force: bool = False,
    notify: Listener = ignore,
) -> RewriteReport:
    """``rewrite`` from file to file; the output appears whole, after every check, or not at all.

    External data stays where it is for an output beside the input, and is copied along for one in
    another folder. A file with nothing to do is written out byte for byte.

    Raises:
        OutputError: the output cannot or must not be written.
        ModelFileError: the input cannot be read, or its external data is missing.
        others: see ``rewrite``.
    """
    started = time.perf_counter()
    source, output = Path(source), check_output(output, force=force)
    model = read_model(source)
    locations = check_external_files(model, source.parent)
    report = rewrite(
        model,
        to=to,
        opset=opset,
        passes=passes,
        check=check,
        folder=source.parent,
        notify=notify,
    )
    contents = _serialised(report, source)
    with _destination(source, output, locations, force=force) as temporary:
        temporary.write_bytes(contents)
        loads = None
        if check and report.changed:
            notify(Notice("loading the finished file once more"))
            if locations:
                check_still_valid(source, temporary)
            loads = check_still_loads(source, temporary) or ""
    seconds = time.perf_counter() - started
    return replace(report, path=output, size_bytes=len(contents), loads=loads, seconds=seconds)


def _choose_passes(passes: Sequence[str], to: str, opset: int | None) -> tuple[str, ...]:
    if to not in LOWERINGS:
        raise UsageError(f"--to {to!r}: expected {' or '.join(get_args(Lowering))}.")
    if opset is not None and not LOWEST_OPSET <= opset <= _HIGHEST_TARGET:
        raise UsageError(f"--opset {opset}: expected {LOWEST_OPSET} to {_HIGHEST_TARGET}.")
    unknown = [name for name in passes if name not in PASS_NAMES]
    if unknown:
        raise UsageError(f"There is no pass {unknown[0]!r}; there are {', '.join(PASS_NAMES)}.")
    for name in (NEWER, OPSET):
        if name in passes and opset is None:
            raise UsageError(f"--pass {name} needs to know which: pass --opset N as well.")
    wanted = set(passes) or {VOLUMETRIC}
    if opset is not None:
        wanted |= {OPSET} if OPSET in passes else {NEWER, OPSET}
    return tuple(name for name in PASS_NAMES if name in wanted)


def _run_passes(
    model: onnx.ModelProto,
    chosen: tuple[str, ...],
    to: Lowering,
    opset: int | None,
    folder: Path | None,
    notify: Listener,
) -> tuple[onnx.ModelProto, list[Rewritten]]:
    """The graph passes, and what they did to each node."""
    if SQUEEZE in chosen and (default_opset(model) or 0) < _SQUEEZE_OPSET:
        raise UsageError(f"--pass {SQUEEZE} needs opset {_SQUEEZE_OPSET} or later.")
    notify(Notice("reading the graph"))
    graph = _to_ir(model, folder)
    volumetric, squeeze = VolumetricGridSample(to), SingleAxisSqueeze()
    modified = False
    done: list[Rewritten] = []
    if VOLUMETRIC in chosen:
        modified |= volumetric(graph).modified
        _warn_of_unknown_axes(volumetric.lowered, notify)
        done += [of_sample(sample, VOLUMETRIC) for sample in volumetric.lowered]
    if SQUEEZE in chosen:
        modified |= squeeze(graph).modified
        done += [of_squeeze(split, SQUEEZE) for split in squeeze.split]
    if NEWER in chosen and opset is not None:
        newer = NewerOperators(opset)
        modified |= newer(graph).modified
        _warn_of_left(newer.left, notify)
        done += [of_expanded(node, NEWER) for node in newer.expanded]
    if not modified:
        return model, []
    return graft(model, ir.to_proto(graph)), done


def _with_true_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """Our own exports say in their metadata which opset they are at."""
    if not any(entry.key == _OPSET_PROPERTY for entry in model.metadata_props):
        return model
    stamped = onnx.ModelProto()
    stamped.CopyFrom(model)
    for entry in stamped.metadata_props:
        if entry.key == _OPSET_PROPERTY:
            entry.value = str(opset)
    return stamped


def _warn_of_unknown_axes(lowered: tuple[LoweredSample, ...], notify: Listener) -> None:
    for sample in lowered:
        if sample.to == "planar" and None in sample.sample.volume_shape[2:]:
            notify(
                Notice(
                    f"{sample.sample.name}: not every axis of the volume has a known length; "
                    f"{sample.after}. Another axis may be shorter when it runs.",
                    warning=True,
                )
            )


def _warn_of_left(left: tuple[LeftNode, ...], notify: Listener) -> None:
    for node in left:
        notify(Notice(f"{node.op_type} {node.name} is left as it is: {node.reason}", warning=True))


def _check_ranks(model: onnx.ModelProto, opset: int, folder: Path | None) -> None:
    if opset >= _VOLUMETRIC_OPSET:
        return
    if left := volumetric_left(_to_ir(model, folder)):
        raise GraphCheckFailedError(
            f"GridSample of rank 5, or of unknown rank, keeps the model at opset "
            f"{_VOLUMETRIC_OPSET}: {', '.join(left)}. Run --pass {VOLUMETRIC} as well."
        )


def _to_ir(model: onnx.ModelProto, folder: Path | None) -> ir.Model:
    try:
        return ir.from_proto(infer_shapes(with_small_tensors(model, folder)))
    except (ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise ModelFileError(f"The model's graph cannot be understood: {error}") from error


def _check(original: onnx.ModelProto, report: RewriteReport, folder: Path | None) -> None:
    failed = [n for n in report.rewritten if n.proof is not None and not n.proof.passed]
    if failed:
        listed = "\n".join(
            f"- {node.node}: {node.proof.worst_error:.3g} apart, allowed "
            f"{node.proof.tolerance.worst:.3g}"
            for node in failed
            if node.proof is not None
        )
        raise RewriteFailedError(f"The proof failed; nothing was written:\n{listed}", report)
    if not report.changed:
        return
    if VOLUMETRIC in report.passes:
        left = volumetric_left(_to_ir(report.model, folder))
        left += inline_volumetric_functions(report.model)[1]
        if left:
            raise GraphCheckFailedError(f"GridSample of rank 5 or unknown rank is left: {left}")
    if not has_external_data(report.model):
        check_still_valid(original, report.model)


def _serialised(report: RewriteReport, source: Path) -> bytes:
    """The file's bytes; those that were read where nothing changed."""
    if not report.changed:
        return source.read_bytes()
    try:
        return bytes(report.model.SerializeToString(deterministic=True))
    except ValueError as error:
        raise ModelFileError(
            f"The rewritten model is over 2 GB: {error}. Save {source} with external data first."
        ) from error


def _destination(
    source: Path, output: Path, locations: tuple[str, ...], *, force: bool
) -> AbstractContextManager[Path]:
    if not locations or source.parent.resolve() == output.parent.resolve():
        return whole_file(output)
    return staging_folder(output, source.parent, locations, force=force)
