"""Files as ``locoexport tune`` writes them: an exported one with a stamp."""

from dataclasses import replace
from pathlib import Path

import onnx

from locoexport.contract.shipped_model import shipped_model_path
from locoexport.contract.stamps import TuningStamp

STAMP = TuningStamp(
    provider="openvino",
    threads=2,
    machine="a machine",
    frames=24,
    points=64,
    latency_ms=120.0,
    ratio=1.5,
    ratio_p10=1.4,
    ratio_p90=1.6,
    p50_px=0.01,
    p99_px=0.2,
    flip_share=0.001,
    average_jaccard_change=-0.1,
    sequences="6 generated sequences",
    limit_px=0.5,
)


def stamp_file(
    source: Path, target: Path, provider: str = "openvino", threads: int | None = None
) -> Path:
    """A copy of a file that says it is tuned for ``provider``."""
    model = onnx.load(source)
    entry = model.metadata_props.add()
    entry.key = "locoexport.tuning"
    entry.value = replace(STAMP, provider=provider, threads=threads).to_json()
    onnx.save(model, target)
    return target


def tuned_tiny(folder: Path, provider: str = "openvino", threads: int | None = None) -> Path:
    """The model that the package ships, tuned."""
    return stamp_file(Path(shipped_model_path()), folder / "tuned.onnx", provider, threads)
