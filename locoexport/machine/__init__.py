"""The computer and its files: hardware, installed packages, reading and writing files."""
