"""LocoTrack point trackers with ResNet and EfficientNet backbones, in plain PyTorch.

>>> import torch
>>> from locoexport.models import locotrack
>>> model = locotrack.create_model("b0-tiny")
>>> video, queries = torch.zeros(1, 2, 256, 256, 3), torch.tensor([[[0.0, 10.0, 20.0]]])
>>> tuple(model(video, queries).tracks.shape)
(1, 1, 2, 2)
"""

from locoexport.models.locotrack.checkpoint import CheckpointError
from locoexport.models.locotrack.config import VARIANTS, TrackerConfig
from locoexport.models.locotrack.creation import create_model
from locoexport.models.locotrack.fitting import load_checkpoint
from locoexport.models.locotrack.operations import REFERENCE, Operations
from locoexport.models.locotrack.tracker import LocoTrack, TrackingResult

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
