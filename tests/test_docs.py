"""What is documented exists, and what exists is documented."""

from __future__ import annotations

import re
from pathlib import Path

import typer

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
