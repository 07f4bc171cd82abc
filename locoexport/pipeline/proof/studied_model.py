"""An exported model in memory, run so that it gives out values from inside."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from locoexport.contract.interface import FileRole, grid_names, support_names
from locoexport.contract.metadata import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT
from locoexport.errors import MachineError
from locoexport.graphs.exposed_values import expose, value_names
from locoexport.graphs.reading import read_model
from locoexport.parity.probes import Probe
from locoexport.runtime.session.providers import ORT_ERRORS, create_session
from locoexport.runtime.session.single import one_line, session_options
from locoexport.runtime.session.split_files import find_split_files

__all__ = ["StudiedModel", "read_studied"]

_INTERFACE = (*grid_names(True), *support_names(True), *OUTPUT_NAMES)


@dataclass(frozen=True)
class StudiedModel:
    """The single graph, or the three of a split in the order in which they run.

    ``optimised`` False runs the nodes as they stand in the file, which also opens it faster.
    """

    graphs: Mapping[FileRole, onnx.ModelProto]
    provider: str
    optimised: bool = True

    def values(self) -> list[str]:
        """Every value that is computed, in order."""
        return [name for graph in self.graphs.values() for name in value_names(graph)]

    def run(self, probe: Probe, names: Collection[str]) -> dict[str, NDArray[Any]]:
        """What the values of these names hold; names that do not occur are left out.

        Raises:
            MachineError: ONNX Runtime cannot open or run the graph with these outputs.
        """
        given: dict[str, NDArray[Any]] = {
            VIDEO_INPUT: np.ascontiguousarray(probe.video),
            QUERY_INPUT: np.ascontiguousarray(probe.query_points_tyx, np.float32),
        }
        found: dict[str, NDArray[Any]] = {}
        for graph in self.graphs.values():
            found |= self._run(graph, given, names)
            given |= {name: found[name] for name in _INTERFACE if name in found}
        return {name: value for name, value in found.items() if name in names}

    def _run(
        self, graph: onnx.ModelProto, given: Mapping[str, NDArray[Any]], names: Collection[str]
    ) -> dict[str, NDArray[Any]]:
        own = [value.name for value in graph.graph.output]
        exposed = expose(graph, {*names, *own})
        inputs = {value.name: given[value.name] for value in graph.graph.input}
        options = session_options(self.provider)
        if not self.optimised:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            session = create_session(exposed.model.SerializeToString(), self.provider, options)
            outputs = session.run(list(exposed.outputs.values()), inputs)
        except ORT_ERRORS as error:
            raise MachineError(
                f"ONNX Runtime cannot run the graph with {len(exposed.outputs)} values given out "
                f"on {self.provider}: {one_line(error)}."
            ) from error
        return {
            name: _joined(output) if name in exposed.stacked else output
            for name, output in zip(exposed.outputs, outputs, strict=True)
        }


def read_studied(path: Path, provider: str) -> StudiedModel:
    """The model of a file, or of the split export that it belongs to.

    Raises:
        ModelFileError: a file is missing or damaged.
    """
    paths = find_split_files(path) or {"whole": path}
    graphs: dict[FileRole, onnx.ModelProto] = {
        role: read_model(file) for role, file in paths.items()
    }
    return StudiedModel(graphs, provider)


def _joined(stacked: NDArray[Any]) -> NDArray[Any]:
    """One entry a frame, each a batch of one → the frames as the batch."""
    if stacked.ndim < 2 or stacked.shape[1] != 1:
        return stacked
    return stacked.reshape(stacked.shape[0], *stacked.shape[2:])
