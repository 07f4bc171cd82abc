"""What ``locoexport doctor`` finds, and where nodes run."""
