"""What pyproject.toml cannot say: where packages are, the long description, the addresses.

The networks and the profiles are packages of locoexport by the links locoexport/models and
locoexport/profiles. A checkout with these links has the layout that setuptools puts on the path in
an editable installation, where type checkers find it. In one without links (some systems write a
text file instead) the folders are named one by one; then setuptools installs an import hook, which
type checkers do not read.

On PyPI a link from README.md into the repository has to be absolute, and where the repository is
is known to whoever publishes it: LOCOEXPORT_REPOSITORY=https://github.com/OWNER/NAME, which
`make release` takes from the remote named origin. Without it the links stay as they are.
"""

import os
import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
MAPPED = {"locoexport.models": "models", "locoexport.profiles": "export_profiles"}
LINKED = all((ROOT / package.replace(".", "/")).is_dir() for package in MAPPED)
REPOSITORY = os.environ.get("LOCOEXPORT_REPOSITORY", "").removesuffix("/").removesuffix(".git")
URLS = {
    "LocoTrack": "https://github.com/cvlab-kaist/locotrack",
    "Paper": "https://arxiv.org/abs/2407.15420",
}


def absolute(readme: str) -> str:
    """The same text, its links and pictures from the repository's newest commit."""
    relative = r"(?!https?:|mailto:|#)"
    readme = re.sub(rf'src="{relative}', f'src="{REPOSITORY}/raw/HEAD/', readme)
    readme = re.sub(rf"(!\[[^]]*\]\(){relative}", rf"\1{REPOSITORY}/raw/HEAD/", readme)
    readme = re.sub(rf'href="{relative}', f'href="{REPOSITORY}/blob/HEAD/', readme)
    return re.sub(rf"(\]\(){relative}", rf"\1{REPOSITORY}/blob/HEAD/", readme)


README = (ROOT / "README.md").read_text(encoding="utf-8")
if REPOSITORY:
    README = absolute(README)
    URLS |= {
        "Source": REPOSITORY,
        "Documentation": f"{REPOSITORY}/tree/HEAD/docs",
        "Changelog": f"{REPOSITORY}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{REPOSITORY}/issues",
    }

setup(
    package_dir={"": "."} if LINKED else MAPPED,
    long_description=README,
    long_description_content_type="text/markdown",
    project_urls=URLS,
)
