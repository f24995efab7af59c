"""Pieces of stored tensors and the algebra that moves them. Knows neither graphs nor frameworks."""
