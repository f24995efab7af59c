"""What rules ask of a graph: where a dimension comes from, what a stored tensor is viewed as."""
