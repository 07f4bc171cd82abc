"""What pyproject.toml cannot say: the long description and the addresses of the project.

On PyPI a link from README.md into the repository has to be absolute, and where the repository is
is known to whoever publishes it: LOCOEXPORT_REPOSITORY=https://github.com/OWNER/NAME, which
`make release` takes from the remote named origin. Without it the links stay as they are.
"""

import os
import re
from pathlib import Path

from setuptools import setup

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


README = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
if REPOSITORY:
    README = absolute(README)
    URLS |= {
        "Source": REPOSITORY,
        "Documentation": f"{REPOSITORY}/tree/HEAD/docs",
        "Changelog": f"{REPOSITORY}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{REPOSITORY}/issues",
    }

setup(long_description=README, long_description_content_type="text/markdown", project_urls=URLS)
