"""Keras and TensorFlow models -> graph. The only package, with `transfer`, that imports TensorFlow."""
