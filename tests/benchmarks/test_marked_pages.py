"""benchmarks/marked_pages.py: what stands between the marks is exchanged, and nothing else."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "benchmarks"
PAGES = (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md")
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


@pytest.fixture
def write_between():
    """The function of the script, which lies in no package."""
    spec = importlib.util.spec_from_file_location("marked_pages", SCRIPTS / "marked_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_between


@pytest.mark.parametrize("content", ["| new |", "| new |\n"])
def test_the_text_around_the_marks_stays(write_between, tmp_path, content: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\nold\n{END}\nafter\n", encoding="utf-8")
    write_between(page, BEGIN, END, content)
    assert page.read_text(encoding="utf-8") == f"before\n{BEGIN}\n| new |\n{END}\nafter\n"
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


def test_content_is_no_pattern(write_between, tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}", encoding="utf-8")
    write_between(page, BEGIN, END, r"1 \| 2 \g<0> \n")
    assert page.read_text(encoding="utf-8") == f"{BEGIN}\n1 \\| 2 \\g<0> \\n\n{END}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"old\n{END}", f"0 times the mark {BEGIN}"),
        (f"{BEGIN}\nold", f"0 times the mark {END}"),
        (f"{BEGIN}\n{BEGIN}\nold\n{END}", f"2 times the mark {BEGIN}"),
        (f"{BEGIN}\nold\n{END}\n{END}", f"2 times the mark {END}"),
        (f"{END}\nold\n{BEGIN}", f"the mark {END} stands before {BEGIN}"),
    ],
)
def test_a_mark_that_is_not_there_once_is_named(write_between, tmp_path, text, says) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as refused:
        write_between(page, BEGIN, END, "new")
    assert str(page) in str(refused.value)
    assert says in str(refused.value)
    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "script",
    [
        *("accuracy", "browser", "gpu_pages", "many_clips", "provider_matrix"),
        *("sampling_errors", "speed_pages", "volumetric_sampling", "window_quality"),
    ],
)
def test_every_benchmark_finds_its_marks(write_between, tmp_path, script: str) -> None:
    source = (SCRIPTS / f"{script}.py").read_text(encoding="utf-8")
    assert "import write_between" in source
    marks = re.findall(r'"(<!-- .+? -->)"', source)
    assert len(marks) == (4 if script == "volumetric_sampling" else 2)
    for begin, end in zip(marks[::2], marks[1::2], strict=True):
        pages = [path for path in PAGES if begin in path.read_text(encoding="utf-8")]
        assert pages
        for page in pages:
            copy = Path(shutil.copy(page, tmp_path))
            text = copy.read_text(encoding="utf-8")
            stood = text.partition(f"{begin}\n")[2].partition(f"\n{end}")[0]
            assert stood
            write_between(copy, begin, end, stood)
            assert copy.read_text(encoding="utf-8") == text
