"""Where query points come from."""
