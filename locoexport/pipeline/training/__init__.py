"""Training: the run, what it was asked, who teaches."""
