"""What all tests share: where the goldens are, and how hypothesis searches."""

import os
import sys
from pathlib import Path

from hypothesis import settings

TESTS = Path(__file__).parent
# The unit goldens live beside the others; the synthetic tracker beside the runtime's tests.
sys.path += [str(TESTS.parent / "parity_tests"), str(TESTS / "runtime"), str(TESTS / "objects")]

# The same examples every time, and no clock: a busy machine is no failure.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# Tests leave nothing in the user's cache; those of the cache itself switch it on in a folder.
os.environ["LOCOEXPORT_CACHE"] = "off"
