"""Runs recorded graphs in float64: TensorFlow's, PyTorch's, and both side by side."""
