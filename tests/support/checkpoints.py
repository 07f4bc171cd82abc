"""Small helpers that write checkpoint files the way others do."""

import collections
from pathlib import Path
from typing import Any

import numpy as np
import torch

from locoexport.models import locotrack

State = dict[str, torch.Tensor]


def seeded_state(variant: str = "b0-tiny") -> State:
    return dict(locotrack.create_model(variant).state_dict())


def save_lightning(path: Path, state: State, **extras: Any) -> Path:
    """``state_dict`` under the prefix ``model.``, and what a trainer keeps beside it."""
    document = {
        "epoch": 3,
        "global_step": 1000,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": collections.OrderedDict((f"model.{k}", v) for k, v in state.items()),
        **trainer_state(),
        **extras,
    }
    torch.save(document, path)
    return path


def trainer_state() -> dict[str, Any]:
    scores = {"/runs/last.ckpt": torch.tensor(0.25)}
    return {
        "optimizer_states": [
            {
                "state": {0: {"step": torch.tensor(7.0), "exp_avg": torch.ones(3)}},
                "param_groups": [{"lr": np.float64(5e-4), "betas": (0.9, 0.999), "params": [0]}],
            }
        ],
        "lr_schedulers": [
            {"milestones": collections.Counter([10, 20]), "_last_lr": [np.float32(1e-3)]}
        ],
        "callbacks": {
            "ModelCheckpoint{'monitor': 'val/aj', 'mode': 'max'}": {
                "monitor": "val/aj",
                "best_model_score": np.float32(0.25),
                "best_model_path": Path("/runs/last.ckpt"),
                "best_k_models": scores,
                "dirpath": Path("/runs"),
                "kth_value": torch.tensor(float("inf")),
                "current_score": np.float64("nan"),
            },
            "History": collections.defaultdict(list, {"loss": [np.float64(1.5), 2.5]}),
            "Recent": collections.deque([1, 2], maxlen=2),
        },
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 4}}}},
        "hparams_name": "kwargs",
        "hyper_parameters": {
            "learning_rate": np.float64(1e-3),
            "resolution": np.array([256, 256]),
            "names": np.array(["kinetics", "kubric"]),
            "weight": np.array(0.5, np.float16),
            "seed": np.int64(42),
            "amp": np.bool_(False),
            "tags": {"a", "b"},
            "betas": (0.9, 0.999),
            "note": None,
        },
    }
