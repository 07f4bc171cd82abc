"""Files of strangers: what one says of its size is held against limits and against its bytes."""
