"""The proof of a live export, and how well its files track."""
