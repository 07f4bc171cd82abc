"""LocoTrack point trackers with ResNet and EfficientNet backbones, in plain PyTorch.

>>> import locotrack, torch
>>> model = locotrack.create_model("b0-tiny")
>>> video, queries = torch.zeros(1, 2, 256, 256, 3), torch.tensor([[[0.0, 10.0, 20.0]]])
>>> tuple(model(video, queries).tracks.shape)
(1, 1, 2, 2)
"""

from locotrack.checkpoint import CheckpointError, load_checkpoint
from locotrack.config import VARIANTS, TrackerConfig
from locotrack.creation import create_model
from locotrack.operations import REFERENCE, Operations
from locotrack.tracker import LocoTrack, TrackingResult

__all__ = [
    "REFERENCE",
    "VARIANTS",
    "CheckpointError",
    "LocoTrack",
    "Operations",
    "TrackerConfig",
    "TrackingResult",
    "create_model",
    "load_checkpoint",
]
