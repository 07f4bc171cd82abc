"""What an exporter promises and the runtime relies on: profiles, metadata, names of a graph."""
