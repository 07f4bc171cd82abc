"""An exported file opened and run: whole or split, on one provider, with its options and cache."""
