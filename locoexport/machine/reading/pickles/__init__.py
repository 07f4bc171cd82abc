"""Pickles, which are played through and never unpickled."""
