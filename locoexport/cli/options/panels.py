"""The panels that ``--help`` sorts options into."""

from __future__ import annotations

__all__ = [
    "CHECKS",
    "CLIP",
    "DRAWING",
    "GRAPH",
    "MACHINE",
    "MODEL",
    "OBJECTS",
    "OBJECT_RULES",
    "OUTPUT",
    "POINTS",
    "SERVER",
    "SIZES",
    "TRAINING",
    "WEIGHTS",
]

MODEL = "Model"
WEIGHTS = "Weights"
TRAINING = "Trained settings"
GRAPH = "Graph"
SIZES = "Sizes"
CHECKS = "Checks"
POINTS = "Points"
OBJECTS = "Objects"
OBJECT_RULES = "Objects: rules"
CLIP = "Clip"
OUTPUT = "Output"
DRAWING = "Drawing"
MACHINE = "Machine"
SERVER = "Server"
