"""Any .onnx → an equal one that runs in more places, each rewritten node proven."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from locoexport.errors import GraphCheckFailedError, ModelFileError, UsageError
from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.graphs.reading import model_file_size, naming, read_model
from locoexport.graphs.walking import count_nodes, iterate_nodes
from locoexport.graphs.weights.external_data import (
    ExternalFiles,
    external_files,
    with_small_tensors,
)
from locoexport.lowering.opset.newer_operators import is_newer, newer_names
from locoexport.lowering.opset.versions import default_opset, lower_opset
from locoexport.lowering.proof.whole.whole_model import WholeModelProof
from locoexport.lowering.volumetric.grid_sample import Lowering
from locoexport.lowering.volumetric.samplers.local_functions import (
    inline_functions_with,
    inline_volumetric_functions,
)
from locoexport.machine.bounded_child import file_allowance, run_bounded
from locoexport.machine.writing.output_files import check_apart, check_output
from locoexport.notices import Listener, Notice, ignore
from locoexport.pipeline.rewriting.destination import layout_to_make, original_place, write_whole
from locoexport.pipeline.rewriting.known_types import (
    used_assumptions,
    with_stated_types,
)
from locoexport.pipeline.rewriting.optimised_files import warn_of_optimised
from locoexport.pipeline.rewriting.passes import (
    at_ir_version,
    check_ranks,
    run_passes,
    samplers_left,
    with_true_opset,
)
from locoexport.pipeline.rewriting.preparation import prepare
from locoexport.pipeline.rewriting.proof import PROVING, of_opset, prove_all
from locoexport.pipeline.rewriting.report import NodeRewrite, RewriteFailedError, RewriteReport
from locoexport.pipeline.rewriting.request import (
    DEFAULT_LOWERING,
    NEWER,
    OPSET,
    VOLUMETRIC,
    DataLayout,
    RewriteRequest,
)
from locoexport.pipeline.rewriting.stated_lengths import warn_of_stale, without_stale_statements
from locoexport.pipeline.rewriting.validity import (
    check_still_valid,
    check_written_file,
    proof_allowance,
    prove_models,
)

__all__ = [
    "NodeRewrite",
    "RewriteFailedError",
    "RewriteReport",
    "rewrite",
    "rewrite_file",
    "rewrite_here",
]

_SHOWN = 5


def rewrite(
    model: onnx.ModelProto,
    *,
    to: Lowering = DEFAULT_LOWERING,
    opset: int | None = None,
    passes: Sequence[str] = (),
    ir_version: int | None = None,
    assumed_types: Mapping[str, str] | None = None,
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
        ir_version: write this IR version; by default it comes down with the opset.
        assumed_types: element types (``float32``) of values that the model tells no type of.
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
    request = RewriteRequest(to, opset, passes, ir_version, assumed_types or {}, check)
    folder = None if folder is None else Path(folder)
    report = _rewritten(model, request, folder, notify)
    if check and report.changed:
        proof = prove_models(model, report.model, folder, notify)
        report = _with_whole_model(report, proof)
    return report


def rewrite_file(
    source: str | Path,
    output: str | Path,
    *,
    to: Lowering = DEFAULT_LOWERING,
    opset: int | None = None,
    passes: Sequence[str] = (),
    ir_version: int | None = None,
    assumed_types: Mapping[str, str] | None = None,
    single_file: bool = False,
    external_data: str | None = None,
    check: bool = True,
    force: bool = False,
    notify: Listener = ignore,
) -> RewriteReport:
    """``rewrite`` from file to file; the output appears whole, after every check, or not at all.

    External data stays where it is for an output beside the input, and is copied along for one in
    another folder, unless it is to be put elsewhere. A file with nothing to do is written out byte
    for byte.

    Args:
        source: the model's file.
        output: the file to write.
        to, opset, passes, ir_version, assumed_types, check, notify: see ``rewrite``.
        single_file: put all weights into the output itself, up to 2 GB.
        external_data: put all large weights into one file of this name beside the output.
        force: replace files that are there already.

    Raises:
        OutputError: the output cannot or must not be written.
        ModelFileError: the input cannot be read, or its external data is missing.
        others: see ``rewrite``.
    """
    started = time.perf_counter()
    request = RewriteRequest(to, opset, passes, ir_version, assumed_types or {}, check)
    layout = DataLayout(single_file, external_data)
    layout.check_apart(Path(output))
    check_apart([("the output", output)], [("the model", source)])
    source, output = Path(source), check_output(output, force=force)
    size_bytes = model_file_size(source)
    report, files = run_bounded(
        rewrite_here,
        source,
        request,
        allowance=file_allowance(size_bytes),
        subject=source,
        error_type=ModelFileError,
        notify=notify,
        during={PROVING: proof_allowance(size_bytes)},
    )
    layout = layout_to_make(report, layout)
    with write_whole(report, source, output, files, layout, force=force) as (draft, report):
        if check and report.changed:
            original = original_place(source, files)
            size = (report.size_bytes or 0) + sum(file.size_bytes for file in report.data_files)
            loads, proof = check_written_file(original, draft, report.model, size, notify)
            report = _with_whole_model(replace(report, loads=loads), proof)
    return replace(report, seconds=time.perf_counter() - started)


def rewrite_here(
    source: Path, request: RewriteRequest, *, notify: Listener = ignore
) -> tuple[RewriteReport, ExternalFiles]:
    """A file's ``rewrite`` in this process, and where its external data lies."""
    model = read_model(source)
    with naming(source):
        files = external_files(model, source)
        report = _rewritten(model, request, files.folder, notify)
    return report, files


def _rewritten(
    model: onnx.ModelProto, request: RewriteRequest, folder: Path | None, notify: Listener
) -> RewriteReport:
    started = time.perf_counter()
    opset = request.opset
    before = _opset_before(model, opset)
    prepared = prepare(model, request, before, folder, notify)
    passed_on, inlined = _inline(prepared.model, request, before)
    assumed = used_assumptions(passed_on, folder, request.assumed_types)
    warn_of_optimised(model, notify)
    passed = run_passes(passed_on, request, folder, notify)
    current, done = passed.model, [*prepared.rows, *passed.rows]
    if opset is not None:
        check_ranks(current, opset, folder, request.assumed_types)
        notify(Notice(f"converting opset {before} to {opset}"))
        readable = with_stated_types(current, folder, request.assumed_types, passed.known)
        lowered = lower_opset(current, opset, readable)
        done += of_opset(lowered, readable, before, opset, OPSET)
        current = with_true_opset(lowered.model, opset)
    if current is not model:
        current, stale = without_stale_statements(current, passed_on, folder)
        warn_of_stale(stale, notify)
    current = at_ir_version(current, request, notify)
    report = RewriteReport(
        model=current,
        passes=request.chosen,
        to=request.to,
        rewritten=tuple(rewritten.node for rewritten in done),
        inlined_functions=tuple(dict.fromkeys(prepared.inlined_functions + inlined)),
        reordered=prepared.reordered,
        left_samplers=prepared.left,
        opset_before=before,
        opset_after=default_opset(current) or 0,
        nodes_before=count_nodes(model),
        nodes_after=count_nodes(current),
        seconds=0.0,
        ir_version_before=model.ir_version,
        ir_version_after=current.ir_version,
        assumed=assumed,
    )
    if request.check:
        opsets = (before, report.opset_after)
        report = replace(report, rewritten=prove_all(done, opsets, notify))
        # A plugin's node is no valid ONNX: what was prepared is what the result is held against.
        _check(prepared.model, report, folder, request.assumed_types)
    return replace(report, seconds=time.perf_counter() - started)


def _with_whole_model(report: RewriteReport, proof: WholeModelProof) -> RewriteReport:
    """The report with the proof; raises RewriteFailedError where that failed."""
    report = replace(report, whole_model=proof)
    if proof.passed:
        return report
    told = proof.failure or (
        f"at {' and at '.join(proof.sizes)} it is {proof.worst_difference:.3g} apart, allowed "
        f"{proof.allowed:.3g}"
    )
    raise RewriteFailedError(
        f"The rewritten model as a whole does not compute what the original computes: {told}. "
        "Nothing was written to disk. The fault is this program's: please report the model. "
        "--no-check writes the file all the same.",
        report,
    )


def _opset_before(model: onnx.ModelProto, wanted: int | None) -> int:
    """The model's opset, 0 where it has no operators of ONNX's own; raises UsageError where
    ``wanted`` is above it."""
    before = default_opset(model)
    if before is None:
        if any(node.domain in DEFAULT_DOMAINS for node in iterate_nodes(model)):
            raise ModelFileError(
                "The model holds operators of ONNX's own and imports no version of them; it is "
                "damaged. Export it again."
            )
        before = 0
    versions = sorted({e.version for e in model.opset_import if e.domain in DEFAULT_DOMAINS})
    if len(versions) > 1:
        raise ModelFileError(
            f"The model imports versions {' and '.join(map(str, versions))} of ONNX's own "
            "operators, and runtimes disagree about which one counts; keep one of them."
        )
    if wanted is not None and not before:
        raise UsageError("The model holds no operators of ONNX's own; leave --opset out.")
    if wanted is not None and before < wanted:
        raise UsageError(
            f"The model is at opset {before}; it can be brought down, not up to {wanted}. "
            "Leave --opset out."
        )
    return before


def _inline(
    model: onnx.ModelProto, request: RewriteRequest, before: int
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The model without the functions that hold what the passes rewrite, and their names."""
    inlined: tuple[str, ...] = ()
    if VOLUMETRIC in request.chosen:
        model, inlined = inline_volumetric_functions(model)
    if request.opset is not None and NEWER in request.chosen:
        newer = newer_names(before, request.opset)
        model, more = inline_functions_with(model, lambda node: is_newer(node, newer))
        inlined += more
    return model, inlined


def _check(
    original: onnx.ModelProto,
    report: RewriteReport,
    folder: Path | None,
    assumed: Mapping[str, str],
) -> None:
    failed = [n for n in report.rewritten if n.proof is not None and not n.proof.passed]
    if failed:
        listed = "; ".join(node.told for node in failed[:_SHOWN])
        more = f"; and {len(failed) - _SHOWN:,} more" if len(failed) > _SHOWN else ""
        raise RewriteFailedError(
            f"What was written does not compute what the original computes: {listed}{more}. "
            "Nothing was written to disk. The fault is this program's: please report the model. "
            "--no-check writes the file all the same.",
            report,
        )
    if not report.changed:
        return
    # Below 20 the ranks were checked before the opset came down.
    if VOLUMETRIC in report.passes and not report.opset_after < min(20, report.opset_before):
        left = samplers_left(report.model, folder, assumed)
        left += inline_volumetric_functions(report.model)[1]
        if left:
            raise GraphCheckFailedError(f"GridSample of rank 5 or unknown rank is left: {left}")
    check_still_valid(
        with_small_tensors(original, folder), with_small_tensors(report.model, folder)
    )
