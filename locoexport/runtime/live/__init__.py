"""Points followed frame by frame: each frame is answered as it comes, from it and the past."""
