"""What is asked of a TensorFlow graph: constants, bodies of functions, places inside of layers."""
