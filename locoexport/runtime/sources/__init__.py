"""Sources besides files, arrays and iterators: images, animations, streams, cameras by name."""
