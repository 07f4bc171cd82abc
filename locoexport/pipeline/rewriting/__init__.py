"""The steps of ``locoexport rewrite``."""
