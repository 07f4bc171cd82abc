import subprocess
import sys

_SCRIPT = """
import sys

FORBIDDEN = {"torch", "onnx", "onnxsim", "onnxscript"}
STAGES = {
    "models", "network", "rewrites", "graphs", "lowering", "parity", "pipeline", "cli", "rendering",
}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top, _, rest = name.partition(".")
        if top in FORBIDDEN or (top == "locoexport" and rest.partition(".")[0] in STAGES):
            raise ImportError(f"the runtime imported {name}")

sys.meta_path.insert(0, Refuse())
from locoexport.runtime.drawing import objects as drawn_objects
from locoexport.runtime.objects import detection, following, object_files
from locoexport.runtime.queries import sources
from locoexport.runtime.drawing.points import draw_tracks
from locoexport.runtime.queries.points import grid_queries
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.video.clips import Clip
import numpy as np

frames = np.zeros((3, 20, 30, 3), np.uint8)
with PointTracker(sys.argv[1]) as tracker:
    tracks = tracker.track(frames, grid_queries(2, 20, 30))
assert len(list(draw_tracks(frames, tracks))) == 3
print("tracked")
"""


def test_tracks_where_torch_and_onnx_cannot_be_imported(make_model) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(make_model())], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("tracked\n", "")
