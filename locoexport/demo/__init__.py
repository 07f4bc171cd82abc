"""The page in ``locoexport/web`` with a model, a clip and its packages: assembled and served."""
