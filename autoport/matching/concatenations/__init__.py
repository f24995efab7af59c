"""Operands of concatenations in another order, and the channels behind them."""
