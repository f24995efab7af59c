"""Rules that make a layer of its parts: norms, products, padding, pooling."""
