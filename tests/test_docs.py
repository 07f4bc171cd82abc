"""What is documented exists, and what exists is documented."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import typer

import locoexport
from locoexport.cli.main import app
from locoexport.cli.reference import describe_commands
from locoexport.machine.limits import describe_limits

ROOT = Path(__file__).parents[1]


def _commands() -> set[str]:
    return set(typer.main.get_command(app).commands)


def test_the_command_reference_is_what_the_commands_say() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == describe_commands(), (
        "docs/commands.md is stale: python -m locoexport.cli.reference > docs/commands.md"
    )


def test_both_readmes_name_every_command_and_no_other() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        rows = set(re.findall(r"^\| `locoexport ([a-z-]+)` \|", text, flags=re.MULTILINE))
        assert rows == _commands(), name


def test_every_option_shown_in_the_docs_exists() -> None:
    options = {
        spelling
        for command in typer.main.get_command(app).commands.values()
        for parameter in command.params
        for spelling in (*parameter.opts, *parameter.secondary_opts)
    }
    options |= {"--help", "--version", "--quiet", "--verbose", "--install-completion"}
    for page in (
        "README.md",
        "README.zh-CN.md",
        "docs/index.md",
        "docs/weights.md",
        "docs/training.md",
        "docs/objects.md",
        "docs/browser.md",
    ):
        lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
        for line in lines:
            if "locoexport" in line or line.startswith("- `--"):
                shown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", line))
                assert shown <= options, f"{page}: {line}"


def test_security_lists_every_limit_as_it_is() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    table = page.split("<!-- limits: begin -->\n")[1].split("\n<!-- limits: end -->")[0]
    assert table == describe_limits()


def test_security_names_files_that_are_there() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:tests|machine|network|runtime|contract|pipeline|graphs|demo)/[^`]+)`", page
    )
    missing = [
        name
        for name in named
        if not ((ROOT / name).exists() or (ROOT / "locoexport" / name).exists())
    ]
    assert len(named) > 20
    assert missing == []


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_api_page_has_each_public_name_once() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    described = re.findall(r"^::: locoexport\.(\w+)$", page, flags=re.MULTILINE)
    # All errors in one tree: the text above locoexport.errors.
    assert sorted(described) == sorted([*locoexport.__all__, "errors"])


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")]
    assert sorted(listed) == sorted(pages)


def test_every_public_callable_says_what_its_parameters_are() -> None:
    """Where a docstring has Args, it names every parameter of the signature and no other."""
    for name in locoexport.__all__:
        public = getattr(locoexport, name)
        text = inspect.getdoc(public) or ""
        if not callable(public) or isinstance(public, type) or "\nArgs:\n" not in text:
            continue
        section = text.split("\nArgs:\n")[1].split("\n\n")[0]
        named = re.findall(r"^    (\w+):", section, flags=re.MULTILINE)
        assert named == list(inspect.signature(public).parameters), name


def test_the_gallery_shows_each_of_its_pictures_and_they_are_small() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]{20,}\]\(gallery/([\w.-]+)\)", page)
    sizes = {each.name: each.stat().st_size for each in (ROOT / "docs" / "gallery").iterdir()}
    assert sorted(shown) == sorted(sizes)
    assert max(sizes.values()) < 300_000
    assert sum(sizes.values()) < 2_500_000
