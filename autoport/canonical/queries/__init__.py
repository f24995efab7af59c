"""Questions that rules ask of a graph: the source of a dimension, the stored tensor behind a view."""
