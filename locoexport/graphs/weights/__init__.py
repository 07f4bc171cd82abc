"""Where a model's weights lie: in the model, or in files beside it."""
