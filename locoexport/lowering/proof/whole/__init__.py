"""Two whole models, run side by side."""
