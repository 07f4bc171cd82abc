"""Objects by their points: detection, segmentation, following, filling gaps."""
