"""What every command needs of the terminal: the console, and its options with their values."""
