"""Questions that readers ask of a TensorFlow graph: constants, bodies of functions, results inside of layers."""
