"""What a frame shows: how it is turned, the shape of its pixels, its colours, its fields."""
