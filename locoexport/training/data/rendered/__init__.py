"""Rendered scenes of panning MOVi-E, and the tracks of their points."""
