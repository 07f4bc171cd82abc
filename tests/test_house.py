"""What pytest needs of the tests themselves, and that they lie where their module does."""

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
# Tests of the whole house lie beside this one.
WHOLE = {
    "test_docs",
    "test_house",
    "test_imports",
    "test_public_names",
    "test_requirements",
    "test_shadowed",
    "test_wheel",
}
# What is no package: the page, the scripts of benchmarks/, and the fuzzer, beside its tests.
OTHER_ROOMS = {
    "web": ROOT / "locoexport" / "web",
    "benchmarks": ROOT / "benchmarks",
    "fuzz": TESTS / "fuzz",
}


def test_no_two_test_modules_have_one_name() -> None:
    # No folder of tests is a package: pytest imports each module by its bare name, and refuses the
    # second one of a name. `make check` collects tests/ alone and would not see a namesake in
    # parity_tests/.
    modules = [
        path.name
        for folder in ("tests", "parity_tests")
        for path in (ROOT / folder).rglob("*.py")
        if path.name not in ("conftest.py", "__init__.py") and "node_modules" not in path.parts
    ]
    assert len(modules) > 100
    assert [name for name, count in Counter(modules).items() if count > 1] == []


def test_every_folder_of_tests_is_a_room() -> None:
    rooms = {path.parent.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")}
    assert len(rooms) > 25
    assert [room for room in sorted(rooms) if not _folder_of(room).is_dir()] == []


def test_every_test_module_is_named_for_a_module_of_its_room() -> None:
    # tests/ROOM/test_MODULE.py, or test_MODULE_ASPECT.py; test_ROOM_MODULE.py where two rooms have
    # a module of one name; test_ROOM_ASPECT.py for what concerns the whole room.
    strays = [
        path.relative_to(TESTS).as_posix()
        for path in sorted(TESTS.rglob("test_*.py"))
        if not _is_named_for_its_room(path)
    ]
    assert strays == []


def _folder_of(room: str) -> Path:
    return OTHER_ROOMS.get(room, ROOT / "locoexport" / room)


def _is_named_for_its_room(path: Path) -> bool:
    room = path.parent.relative_to(TESTS).as_posix()
    subject = path.stem.removeprefix("test_")
    if room == ".":
        return path.stem in WHOLE
    if room == "web":
        return True
    names = {module.stem for module in _folder_of(room).glob("*.py")} - {"__init__"}
    names.add(path.parent.name)
    return any(f"{subject}_".startswith(f"{name}_") for name in names)
