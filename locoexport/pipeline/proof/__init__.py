"""The proof of an export: made, reported, localised, carried in a sidecar."""
