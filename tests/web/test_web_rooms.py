"""The page's two rooms: engine/ neither imports page/ nor needs a DOM."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "locoexport" / "web"
# Static, dynamic and side-effect imports, imports of types in JSDoc, and workers.
_TARGET = re.compile(r"""(?:\bfrom|\bimport|\bnew URL)\s*\(?\s*["']([^"']+)["']""")
_DOM = re.compile(r"\bdocument\s*\.|\blocalStorage\b|\bHTML[A-Z]\w*|\bCanvasRenderingContext2D\b")


def _faults(web: Path) -> list[str]:
    """What breaks the rule in a copy of the folder."""
    faults = []
    for module in sorted((web / "engine").rglob("*.js")):
        text = module.read_text(encoding="utf-8")
        for target in _TARGET.findall(text):
            path = (module.parent / target).resolve()
            allowed = (web / "engine", web / "packages")
            if not any(path.is_relative_to(room.resolve()) for room in allowed):
                faults.append(f"{module.name} imports {target}")
        faults += [f"{module.name} uses {found}" for found in _DOM.findall(text)]
    return faults


def test_the_engine_knows_nothing_of_the_page() -> None:
    assert len(list((WEB / "engine").glob("*.js"))) > 10
    assert _faults(WEB) == []


def test_every_module_lies_in_a_room() -> None:
    texts = {"index.html", "licences.txt", "onnxruntime-notices.txt"}
    assert {path.name for path in WEB.iterdir()} == {"engine", "page", *texts}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('import { page } from "../page/elements.js";', "queries.js imports ../page/elements.js"),
        ('import "../page/main.js";', "queries.js imports ../page/main.js"),
        ('const late = await import("../page/main.js");', "queries.js imports ../page/main.js"),
        ('/** @typedef {import("../page/site.js").Site} Site */', "imports ../page/site.js"),
        ('document.title = "";', "queries.js uses document."),
    ],
)
def test_a_wrong_line_is_found(line: str, fault: str, tmp_path: Path) -> None:
    shutil.copytree(WEB / "engine", tmp_path / "engine")
    module = tmp_path / "engine" / "queries.js"
    module.write_text(line + "\n" + module.read_text(encoding="utf-8"), encoding="utf-8")
    (found,) = _faults(tmp_path)
    assert fault in found
