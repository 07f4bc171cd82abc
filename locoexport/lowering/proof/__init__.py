"""Is what a pass wrote equal to what it took away? Nodes are cut out and run side by side."""
