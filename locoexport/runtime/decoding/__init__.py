"""What comes out of a decoder, watched: what is lost, when each frame is shown, what was read."""
