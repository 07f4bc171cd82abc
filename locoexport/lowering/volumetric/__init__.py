"""GridSample of rank 5 in any model, and what stands in its place."""
