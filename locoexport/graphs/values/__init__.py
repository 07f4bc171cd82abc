"""What is known of a graph's values: types, ranks, lengths, constants."""
