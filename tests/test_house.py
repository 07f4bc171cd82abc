"""What pytest needs of the tests themselves."""

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_no_two_test_modules_have_one_name() -> None:
    # Neither folder is a package: pytest imports each module by its bare name, and refuses the
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
