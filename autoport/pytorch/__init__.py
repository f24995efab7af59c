"""PyTorch modules -> graph. The only package, with `transfer`, that imports torch."""
