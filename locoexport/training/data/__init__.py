"""Where training samples come from: rendered scenes, generated sequences, clips with a teacher."""
