"""The goldens: outputs of the reference implementation, and the recipe of their inputs."""

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

HERE = Path(__file__).parent
FOLDER = HERE / "goldens"
DEMO_FILE = "demo__carphone.npz"
"""Real frames and the shipped weights; it holds its own inputs and is not in the manifest."""


def _load_recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_recipe", FOLDER / "recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


recipe = _load_recipe()
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())


@dataclass(frozen=True)
class Golden:
    """One row of the manifest that has a variant."""

    file: str
    variant: str
    case: str
    resolutions: tuple[tuple[int, int], ...] | None
    video_hw: tuple[int, int]
    recipe_case: tuple[tuple[str, int], ...]
    digests: tuple[str, str]

    def arrays(self) -> dict[str, np.ndarray]:
        return load_arrays(self.file)

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """float32 video (B, T, H, W, 3) and queries (B, N, 3)."""
        video_u8, queries = _make_inputs(self.recipe_case)
        # Another numpy could make another clip; then no comparison would mean anything.
        assert (_sha256(video_u8), _sha256(queries)) == self.digests
        return recipe.u8_to_float(video_u8), queries


def goldens() -> list[Golden]:
    rows = [row for row in MANIFEST["goldens"] if row["variant"] != "unit"]
    return [
        Golden(
            file=row["file"],
            variant=row["variant"],
            case=row["case"].split("/")[-1],
            resolutions=_pairs(row.get("refinement_resolutions")),
            video_hw=(row["H"], row["W"]),
            recipe_case=tuple(
                {k: row.get(k, 1) for k in ("T", "N", "H", "W", "seed", "batch")}.items()
            ),
            digests=(row["video_u8_sha256"], row["queries_sha256"]),
        )
        for row in rows
    ]


def load_arrays(file: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / file) as archive:
        return dict(archive)


def shapes_of(variant: str) -> dict[str, tuple[int, ...]]:
    """Key names and shapes of a variant's state dict, as the reference has them."""
    text = (HERE / "state_dict" / f"{variant}.json").read_text()
    return {name: tuple(shape) for name, shape in json.loads(text).items()}


def largest_difference(found: Any, expected: np.ndarray) -> float:
    found = np.asarray(found)
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max())


@cache
def _make_inputs(case: tuple[tuple[str, int], ...]) -> tuple[np.ndarray, np.ndarray]:
    row = dict(case)
    sizes = (row["H"], row["W"], row["seed"], row["batch"])
    video = recipe.make_video_u8(row["T"], *sizes)
    return video, recipe.make_queries_for(row["T"], row["N"], *sizes)


def _sha256(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def _pairs(rows: list[list[int]] | None) -> tuple[tuple[int, int], ...] | None:
    return None if rows is None else tuple((height, width) for height, width in rows)
