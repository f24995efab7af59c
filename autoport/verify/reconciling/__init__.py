"""Sets on the PyTorch model what makes it compute what the Keras model computes."""
