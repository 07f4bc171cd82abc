"""``dir``, completion and ``help`` of the package, with and without what exports."""

import subprocess
import sys

import pytest

import locoexport

NEED_EXPORT = {
    *("ExportReport", "RewriteReport", "TuneReport"),
    *("export_model", "rewrite", "tune_model", "verify_model"),
}
NEED_TRAIN = {"FitSettings", "TrainReport", "TrainingRecipe", "train_model"}
_BASE_INSTALL = """
import importlib.util

ABSENT = {"torch", "lightning", "onnx", "onnxsim", "onnxscript", "safetensors"}
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name in ABSENT else find_spec(name)


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent())
import locoexport
"""


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_dir_has_the_public_names_and_nothing_else() -> None:
    shown = [name for name in dir(locoexport) if not name.startswith("__")]
    assert shown == sorted(set(locoexport.__all__) - {"__version__"})


def test_every_public_name_can_be_had_and_no_other() -> None:
    for name in locoexport.__all__:
        assert getattr(locoexport, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'tracker'"):
        _ = locoexport.tracker


@pytest.mark.slow
def test_help_reads_like_a_page() -> None:
    page = _python("import pydoc, locoexport; print(pydoc.plain(pydoc.render_doc(locoexport)))")
    assert "Track points through video" in page
    for name in set(locoexport.__all__) - {"__version__"}:
        assert f"\n    class {name}(" in page or f"\n    {name}(" in page, name


@pytest.mark.slow
def test_a_base_install_shows_what_it_can_do_and_says_what_the_rest_needs() -> None:
    code = "import sys\n" + _BASE_INSTALL
    shown = set(_python(f"{code}\nprint(*dir(locoexport))").split())
    assert {name for name in locoexport.__all__ if name not in shown} == (NEED_EXPORT | NEED_TRAIN)
    page = _python(f"{code}\nimport pydoc; print(pydoc.plain(pydoc.render_doc(locoexport)))")
    assert "class PointTracker(" in page
    said = _python(
        f"{code}\nfor name in {sorted(NEED_EXPORT | NEED_TRAIN)}:\n"
        "    try: getattr(locoexport, name)\n"
        "    except locoexport.LocoExportError as error: print(error)"
    )
    assert said.count("pip install 'locoexport[export]'") == len(NEED_EXPORT)
    assert said.count("pip install 'locoexport[train]'") == len(NEED_TRAIN)
