"""What every command needs of the terminal: console and option types."""
