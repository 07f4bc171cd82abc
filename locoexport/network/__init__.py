"""The PyTorch side: loading a model, the oracle's answers, a recorded forward pass, a trace."""
