"""Profile and checkpoint → a proven .onnx file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from locoexport.contract.interface import FileRole, LiveWindow, fixed_window
from locoexport.contract.metadata import ArtifactMetadata, ExportArtifact, ParityStamp
from locoexport.contract.profile import ExportProfile, load_profile, profile_names
from locoexport.errors import (
    MachineError,
    ModelFileError,
    ParityFailedError,
    SidecarError,
    UsageError,
)
from locoexport.evaluation.precision_cost import PrecisionReport
from locoexport.graphs.walking import count_nodes
from locoexport.lowering.tracker.finishing import to_bytes, with_properties
from locoexport.machine.writing.drafts import scratch_folder
from locoexport.machine.writing.output_files import check_apart, check_output, whole_files
from locoexport.network.loading import Network, load_network
from locoexport.notices import Listener, Notice, ignore, noting
from locoexport.parity.divergence import Localisation
from locoexport.parity.pointwise import ParityReport
from locoexport.parity.probes import Probe
from locoexport.parity.sidecar import Sidecar, sidecar_path, write_sidecar
from locoexport.pipeline.assembly.cost import refuse_beyond_limit
from locoexport.pipeline.assembly.graph import FinishedGraph, build_graph
from locoexport.pipeline.assembly.part_choice import lower_and_measure
from locoexport.pipeline.assembly.precision import check_precision
from locoexport.pipeline.live.proof import LIVE_SHAPES, prove_live
from locoexport.pipeline.proof.localisation import localise
from locoexport.pipeline.proof.pointwise import EXPORT_SHAPES, make_probes, probe_to_study, prove
from locoexport.pipeline.proof.sidecar_making import make_precision_sidecar, make_sidecar
from locoexport.pipeline.weights.assumptions import tell_assumptions
from locoexport.pipeline.weights.published import PUBLISHED, find_weights
from locoexport.rewrites import select_rewrites
from locoexport.runtime.live.session import open_live
from locoexport.runtime.session.opening import open_model
from locoexport.runtime.session.split_files import name_live_files, name_split_files

__all__ = ["ExportParityError", "ExportReport", "export_model"]


@dataclass(frozen=True)
class ExportReport:
    """What an export did: one file or three of a split; ``parity`` None with ``verify=False``.

    ``sidecar`` is the .parity.npz that was written beside it, if any; ``warnings`` are those that
    were given on the way.
    """

    artifacts: tuple[ExportArtifact, ...]
    nodes_traced: int
    nodes_written: int
    simplifier_refusal: str | None
    parity: ParityReport | None
    seconds: float
    sidecar: Path | None = None
    precision: PrecisionReport | None = None
    warnings: tuple[str, ...] = ()

    @property
    def artifact(self) -> ExportArtifact:
        """The file, or the tracker's of a split."""
        return self.artifacts[-1]


class ExportParityError(ParityFailedError):
    """Parity failed, so no file was written; ``report`` says where. A ``ParityFailedError``.

    ``localisation`` names the first part of the model that departs; where that could not be told it
    is None and ``not_localised`` says why.
    """

    def __init__(
        self,
        message: str,
        report: ParityReport,
        localisation: Localisation | None = None,
        not_localised: str = "",
    ) -> None:
        """``report`` is the failed one."""
        super().__init__(message)
        self.report = report
        self.localisation = localisation
        self.not_localised = not_localised


def export_model(
    profile: ExportProfile | str,
    output: str | Path,
    *,
    checkpoint: str | Path | None = None,
    calibrate: Sequence[Path] = (),
    split: bool = False,
    live: LiveWindow | None = None,
    simplify: bool = True,
    verify: bool = True,
    sidecar: bool = False,
    as_pytorch: bool = False,
    force: bool = False,
    notify: Listener = ignore,
) -> ExportReport:
    """Export the profile's network to ``output``, proven equal to the PyTorch model.

    Args:
        profile: its name, or what ``locoexport.load_profile`` and
            ``ExportProfile.with_options`` give.
        output: the .onnx file; it appears whole, after every check, or not at all.
        checkpoint: weights, a file, hf://OWNER/REPO/FILE, an https URL, or ``published`` for those
            that the profile names; by default those the package ships for the profile, else seeded
            ones.
        calibrate: clips that ranges of ``int8`` are taken from; by default generated ones.
        split: write NAME.encoder.onnx, NAME.query.onnx and NAME.tracker.onnx in place of NAME.onnx;
            they are proven together.
        live: write NAME.encoder.onnx, NAME.query.onnx and NAME.live.onnx, which answers each frame
            from so many of the newest; ``open`` lets whoever runs it choose.
        simplify: run onnxsim (its result is refused where it grew or changed the graph).
        verify: compare with the unrewritten model at several shapes before the file appears.
        sidecar: write NAME.parity.npz too: inputs and PyTorch's answers, with which the file can be
            verified where there is no PyTorch.
        as_pytorch: export weights of JAX at levels where JAX computes another function.
        force: replace an existing file.
        notify: is told of every step and warning.

    Raises:
        ProfileError: there is no profile of that name.
        OutputError: ``output`` cannot or must not be written.
        CheckpointError: the weights cannot be read or do not fit the profile.
        UsageError: a rewrite that the profile names does not exist or is required; or several files
            were asked for where only one can be made.
        GraphCheckFailedError: the graph breaks a promise that every file keeps.
        ExportParityError: the graph is not the same function.
        SidecarError: the sidecar would be too large, or its own file, in a smaller precision, not
            pass it.
        PrecisionRefusedError: the profile's precision costs more than it allows, and ``force`` is
            not given.
        UnreachableError: the checkpoint's server cannot be reached.
    """
    started = time.perf_counter()
    warnings: list[str] = []
    notify = noting(warnings, notify)
    profile = load_profile(profile) if isinstance(profile, str) else profile
    named = _name_files(Path(output), profile, split=split, live=live, sidecar=sidecar)
    paths = {role: check_output(file, force=force) for role, file in named.items()}
    _check_apart(output, paths, checkpoint, calibrate, sidecar=sidecar)
    beside = [check_output(sidecar_path(Path(output)), force=force)] if sidecar else []
    select_rewrites(profile)  # its names are checked before any work
    check_precision(profile, split=len(paths) > 1, calibrate=calibrate)
    network = _load(profile, checkpoint, notify, as_pytorch=as_pytorch)
    profile = profile.with_options(settings=network.settings)
    graphs = {
        role: build_graph(
            profile, network, simplify=simplify, notify=notify, role=role, window=fixed_window(live)
        )
        for role in paths
    }
    opened = list(paths)[-1]  # it brings the others along
    with whole_files([*paths.values(), *beside]) as drafts:
        files = dict(zip(paths, drafts, strict=not sidecar))  # the sidecar's draft is the last
        _write(files, graphs)
        parity, cost = None, None
        if verify:
            prove_file = _prove_file if live is None else _prove_live_file
            parity = prove_file(files[opened], profile, network, graphs[opened].metadata, notify)
            graphs = _with_stamp(graphs, parity)
            _write(files, graphs)
        if profile.precision != "fp32":
            graphs, cost = _lower(files["whole"], graphs["whole"], profile, calibrate, notify)
            refuse_beyond_limit(cost, force=force)
        notify(Notice("loading the finished file again"))
        (open_model if live is None else open_live)(files[opened])
        if sidecar:
            write_sidecar(drafts[-1], _make_sidecar(files, profile, network, notify, force=force))
        artifacts = _describe(paths, files, graphs)
    return ExportReport(
        artifacts=artifacts,
        nodes_traced=sum(graph.nodes_traced for graph in graphs.values()),
        nodes_written=sum(count_nodes(graph.model) for graph in graphs.values()),
        simplifier_refusal=next(
            filter(None, (g.simplifier_refusal for g in graphs.values())), None
        ),
        parity=parity,
        seconds=time.perf_counter() - started,
        sidecar=beside[0] if beside else None,
        precision=cost,
        warnings=tuple(warnings),
    )


def _name_files(
    output: Path,
    profile: ExportProfile,
    *,
    split: bool,
    live: LiveWindow | None,
    sidecar: bool,
) -> dict[FileRole, Path]:
    """The files to write, in the order in which they run."""
    if not split and live is None:
        return {"whole": output}
    option = "--live" if live is not None else "--split"
    if split and live is not None:
        raise UsageError("--split and --live write other files; export twice, to two names.")
    if profile.input_type == "uint8":
        raise UsageError(
            f"With {option} frames are float32: each of the three files would need the size of the "
            f"frames. Leave {option} out, or pass --input float32."
        )
    if live is None:
        return name_split_files(output)
    if profile.axes.batch not in (None, 1) or profile.axes.frames not in (None, 1):
        raise UsageError(
            f"Live, there is one clip and one frame at a time, not {profile.axes.batch or 1} and "
            f"{profile.axes.frames or 1}; leave --batch and --frames out."
        )
    if sidecar:
        raise UsageError("A sidecar is of clips, and --live has none; leave --sidecar out.")
    return name_live_files(output)


def _check_apart(
    output: str | Path,
    paths: Mapping[FileRole, Path],
    checkpoint: str | Path | None,
    calibrate: Sequence[str | Path],
    *,
    sidecar: bool,
) -> None:
    """Raises OutputError where a file to write is one to read, which ``force`` is not meant for."""
    outputs = [("the output", path) for path in paths.values()]
    if sidecar:
        outputs.append(("the sidecar", sidecar_path(Path(output))))
    clips = [("the clip", clip) for clip in calibrate]
    check_apart(outputs, [("the checkpoint", checkpoint), *clips])


def _load(
    profile: ExportProfile,
    checkpoint: str | Path | None,
    notify: Listener,
    *,
    as_pytorch: bool,
) -> Network:
    weights = None if checkpoint is None else find_weights(checkpoint, profile, notify)
    network = load_network(profile, weights, as_pytorch=as_pytorch)
    if network.weights.seeded:
        notify(
            Notice(
                f"Profile {profile.name} ships no trained weights and no --checkpoint was given: "
                "the weights are seeded (random). The graph is real, but its tracks mean nothing. "
                f"With real weights: {_command_with_real_weights(profile)}",
                warning=True,
            )
        )
    if network.apart is not None:
        notify(
            Notice(
                f"{network.weights.file_name}: {network.apart} As requested, PyTorch's "
                "function is exported.",
                warning=True,
            )
        )
    tell_assumptions(profile.with_options(settings=network.settings), weights, notify)
    return network


def _command_with_real_weights(profile: ExportProfile) -> str:
    """What a user types: published weights of the profile or its variant, else those shipped."""
    for name in (profile.name, profile.variant):
        if name in profile_names() and load_profile(name).published_weights is not None:
            published = f"--backbone {name} --checkpoint {PUBLISHED}"
            return f"locoexport export {published} -o model.onnx"
    shipped = next(name for name in profile_names() if load_profile(name).demo_weights is not None)
    return f"locoexport export --backbone {shipped} -o model.onnx"


def _write(files: Mapping[FileRole, Path], graphs: Mapping[FileRole, FinishedGraph]) -> None:
    for role, graph in graphs.items():
        stamped = with_properties(graph.model, graph.metadata.to_properties())
        files[role].write_bytes(to_bytes(stamped))


def _with_stamp(
    graphs: Mapping[FileRole, FinishedGraph], parity: ParityReport
) -> dict[FileRole, FinishedGraph]:
    """The same graphs, whose metadata say how they were proven."""
    stamp = ParityStamp(
        parity.worst_px,
        parity.worst_logit,
        parity.shapes,
        parity.apart_points,
        parity.worst_apart_px,
    )
    return {
        role: replace(graph, metadata=replace(graph.metadata, parity=stamp))
        for role, graph in graphs.items()
    }


def _lower(
    draft: Path,
    graph: FinishedGraph,
    profile: ExportProfile,
    calibrate: Sequence[Path],
    notify: Listener,
) -> tuple[dict[FileRole, FinishedGraph], PrecisionReport]:
    """Put the graph in the profile's precision in the place of the float32 one, with its cost.

    The float32 file is moved aside in the folder of the drafts, which goes away.
    """
    float32 = draft.with_name(f"{draft.name}.fp32.onnx")
    draft.rename(float32)
    lowered, cost = lower_and_measure(float32, graph, profile, calibrate, notify)
    stamped = replace(lowered, metadata=replace(lowered.metadata, cost=cost.stamp()))
    _write({"whole": draft}, {"whole": stamped})
    return {"whole": stamped}, cost


def _make_sidecar(
    files: Mapping[FileRole, Path],
    profile: ExportProfile,
    network: Network,
    notify: Listener,
    *,
    force: bool,
) -> Sidecar:
    if profile.precision == "fp32":
        return make_sidecar(files, profile, network, notify)
    sidecar, judged = make_precision_sidecar(files["whole"], profile, network, notify)
    if not judged.passed and not force:
        raise SidecarError(
            f"The sidecar's own file would not pass it: p99 {judged.p99_px:.3g} px of "
            f"{judged.tolerance.p99_px:g} px allowed to {profile.precision} on its inputs. No file "
            "was written; leave --sidecar out, or --force writes both all the same."
        )
    return sidecar


def _describe(
    paths: Mapping[FileRole, Path],
    files: Mapping[FileRole, Path],
    graphs: Mapping[FileRole, FinishedGraph],
) -> tuple[ExportArtifact, ...]:
    """What will lie at ``paths`` once the ``files`` are renamed onto them."""
    return tuple(
        ExportArtifact(path, files[role].stat().st_size, graphs[role].metadata)
        for role, path in paths.items()
    )


def _prove_file(
    path: Path,
    profile: ExportProfile,
    network: Network,
    metadata: ArtifactMetadata,
    notify: Listener,
) -> ParityReport:
    """The report of a proof that held; raises ExportParityError where it failed."""

    def probes() -> Iterator[Probe]:
        return make_probes(EXPORT_SHAPES, profile.axes, profile.working_hw, profile.input_type)

    with scratch_folder() as folder:
        session = open_model(path, "cpu", profile_prefix=folder / "profile")
        report = prove(session, network.model, probes(), profile.tolerance, notify)
    if report.passed:
        return report
    probe = probe_to_study(probes(), report)
    found, reason = None, ""
    try:
        found = localise(path, metadata, profile, network, probe, "cpu", notify, exporting=True)
    except (ModelFileError, MachineError) as error:
        reason = str(error)
    raise ExportParityError(_failure(report, profile, found), report, found, reason)


def _prove_live_file(
    path: Path,
    profile: ExportProfile,
    network: Network,
    metadata: ArtifactMetadata,
    notify: Listener,
) -> ParityReport:
    """The report of a proof that held; raises ExportParityError where it failed."""
    probes = make_probes(LIVE_SHAPES, profile.axes, profile.working_hw)
    with scratch_folder() as folder:
        session = open_live(path, profile_prefix=folder / "profile")
        report = prove_live(session, network.model, probes, profile.tolerance, notify)
    if report.passed:
        return report
    raise ExportParityError(_failure(report, profile, None), report, None, "")


def _failure(report: ParityReport, profile: ExportProfile, found: Localisation | None) -> str:
    if not report.conclusive:
        return (
            f"Parity proves nothing: {report.apart_points} points are ties or unstable, too "
            "many for the rest to count. No file was written; --no-verify writes it unproven."
        )
    where = "" if found is None or found.first is None else f", first at {found.first.seam}"
    return (
        f"Parity failed: the graph is {report.worst_px:.3g} px and {report.worst_logit:.3g} "
        f"logits from the PyTorch model{where} (allowed {profile.tolerance.tracks_px:g} and "
        f"{profile.tolerance.logits:g}). No file was written."
    )
