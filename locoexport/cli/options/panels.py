"""The panels that ``--help`` sorts options into."""

from __future__ import annotations

__all__ = [
    "CHECKS",
    "CLIP",
    "DATA",
    "DRAWING",
    "GRAPH",
    "MACHINE",
    "MODEL",
    "OBJECTS",
    "OBJECT_RULES",
    "OUTPUT",
    "POINTS",
    "RECIPE",
    "SERVER",
    "SIZES",
    "TRAINING",
    "WEIGHTS",
]

MODEL = "Model"
WEIGHTS = "Weights"
TRAINING = "Trained settings"
DATA = "Data"
RECIPE = "Recipe"
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
