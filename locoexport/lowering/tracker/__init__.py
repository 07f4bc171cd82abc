"""Passes over our own exported graph, told by its names: precision, frame scan, promises."""
