"""Numeric proof: runs both models in float64, node by node, and says where and why they differ."""
