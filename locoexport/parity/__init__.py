"""How far apart two answers are, and where they part: arithmetic on numpy arrays alone."""
