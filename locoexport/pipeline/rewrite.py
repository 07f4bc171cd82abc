"""Any .onnx → an equal one that runs in more places, each rewritten node proven."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import onnx

from locoexport.errors import GraphCheckFailedError, ModelFileError, OutputError, UsageError
from locoexport.graphs.external_data import (
    check_external_files,
    external_size,
    staging_folder,
    with_small_tensors,
)
from locoexport.graphs.reading import model_file_size, naming, read_model
from locoexport.graphs.walking import count_nodes
from locoexport.lowering.opset.newer_operators import (
    is_newer,
    newer_names,
)
from locoexport.lowering.opset.versions import default_opset, lower_opset
from locoexport.lowering.volumetric.grid_sample import (
    Lowering,
    volumetric_left,
)
from locoexport.lowering.volumetric.local_functions import (
    inline_functions_with,
    inline_volumetric_functions,
)
from locoexport.machine.bounded_child import Allowance, file_allowance, run_bounded
from locoexport.machine.limits import EVALUATION_SECONDS, PROOF_BYTES
from locoexport.machine.reading.linked_files import find_file
from locoexport.machine.writing.output_files import check_apart, check_output, whole_file
from locoexport.notices import Listener, Notice, ignore
from locoexport.pipeline.rewriting.passes import (
    DEFAULT_LOWERING,
    NEWER,
    OPSET,
    VOLUMETRIC,
    check_ranks,
    choose_passes,
    run_passes,
    to_ir,
    with_true_opset,
)
from locoexport.pipeline.rewriting.proof import (
    PROVING,
    of_opset,
    prove_all,
)
from locoexport.pipeline.rewriting.report import NodeRewrite, RewriteFailedError, RewriteReport
from locoexport.pipeline.rewriting.validity import check_still_loads, check_still_valid

__all__ = [
    "NodeRewrite",
    "RewriteFailedError",
    "RewriteReport",
    "rewrite",
    "rewrite_file",
    "rewrite_here",
]


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
    chosen = choose_passes(passes, to, opset)
    before = _opset_before(model, opset)
    current, inlined = _inline(model, chosen, before, opset)
    current, done = run_passes(current, chosen, to, opset, folder, notify)
    if opset is not None:
        check_ranks(current, opset, folder)
        notify(Notice(f"converting opset {before} to {opset}"))
        lowered = lower_opset(current, opset)
        done += of_opset(lowered, with_small_tensors(current, folder), before, opset, OPSET)
        current = with_true_opset(lowered.model, opset)
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
    check_apart([("the output", output)], [("the model", source)])
    source, output = Path(source), check_output(output, force=force)
    size_bytes = model_file_size(source)
    report, locations = run_bounded(
        rewrite_here,
        source,
        to,
        opset,
        passes,
        check,
        allowance=file_allowance(size_bytes),
        subject=source,
        error_type=ModelFileError,
        notify=notify,
        during={PROVING: _proof_allowance(size_bytes)},
    )
    contents = _serialised(report, source)
    data = [("the model's external data", source.parent / location) for location in locations]
    check_apart([("the output", output)], data)
    with _destination(source, output, locations, force=force) as temporary:
        temporary.write_bytes(contents)
        loads = None
        if check and report.changed:
            notify(Notice("loading the finished file again"))
            data_bytes = external_size(source.parent, locations)
            loads = run_bounded(
                check_still_loads,
                source,
                temporary,
                allowance=file_allowance(len(contents) + data_bytes),
                subject=source,
                error_type=ModelFileError,
            )
            loads = loads or ""
    seconds = time.perf_counter() - started
    return replace(report, path=output, size_bytes=len(contents), loads=loads, seconds=seconds)


def rewrite_here(
    source: Path,
    to: Lowering,
    opset: int | None,
    passes: Sequence[str],
    check: bool,
    *,
    notify: Listener = ignore,
) -> tuple[RewriteReport, tuple[str, ...]]:
    """A file's ``rewrite`` in this process, and where its external data lies."""
    model = read_model(source)
    with naming(source):
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
    return report, locations


def _proof_allowance(size_bytes: int) -> Allowance:
    """A proof runs a node on inputs as large as the model's own: it may take the whole of a minute
    and some gigabytes, whatever the size of the file."""
    reading = file_allowance(size_bytes)
    return Allowance(
        reading.size_bytes + PROOF_BYTES.value, EVALUATION_SECONDS.value, raised_by=PROOF_BYTES
    )


def _opset_before(model: onnx.ModelProto, wanted: int | None) -> int:
    """The model's opset; raises UsageError where ``wanted`` is above it."""
    before = default_opset(model)
    if before is None:
        raise ModelFileError("The model imports no version of the default domain; it is damaged.")
    if wanted is not None and before < wanted:
        raise UsageError(
            f"The model is at opset {before}; it can be brought down, not up to {wanted}. "
            "Leave --opset out."
        )
    return before


def _inline(
    model: onnx.ModelProto, passes: Sequence[str], before: int, opset: int | None
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The model without the functions that hold what the passes rewrite, and their names."""
    inlined: tuple[str, ...] = ()
    if VOLUMETRIC in passes:
        model, inlined = inline_volumetric_functions(model)
    if opset is not None and NEWER in passes:
        newer = newer_names(before, opset)
        model, more = inline_functions_with(model, lambda node: is_newer(node, newer))
        inlined += more
    return model, inlined


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
        left = volumetric_left(to_ir(report.model, folder))
        left += inline_volumetric_functions(report.model)[1]
        if left:
            raise GraphCheckFailedError(f"GridSample of rank 5 or unknown rank is left: {left}")
    check_still_valid(
        with_small_tensors(original, folder), with_small_tensors(report.model, folder)
    )


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
    folder = output.parent.resolve()
    if not locations:
        return whole_file(output)
    if source.parent.resolve() == folder:
        for location in locations:
            if not find_file(folder, location).is_relative_to(folder):
                raise OutputError(
                    f"The model's external data {location!r} is a link to a cache's file, which "
                    f"ONNX Runtime opens for no other model in {folder}; name an output in another "
                    "folder, and the data is copied there."
                )
        return staging_folder(output, source.parent, locations, force=force, shared=True)
    return staging_folder(output, source.parent, locations, force=force)
