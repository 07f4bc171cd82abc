"""Where weights come from: a file, a server, and the model that they belong to."""
