"""What commands can be asked for: option types, a file a command or a kind, and their values."""
