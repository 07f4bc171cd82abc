"""The options of the commands that track."""
