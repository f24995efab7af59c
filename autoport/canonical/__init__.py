"""Passes that make equal computations look equal; one rule, one file. Pure graph code."""

from autoport.canonical.canonicalize import canonicalize

__all__ = ["canonicalize"]
