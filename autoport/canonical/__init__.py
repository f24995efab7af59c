"""Passes that make equal computations look equal; one rule, one file. Pure graph code."""

from autoport.canonical.canonicalize import canonicalize
from autoport.canonical.skeleton import Skeleton, skeleton

__all__ = ["Skeleton", "canonicalize", "skeleton"]
