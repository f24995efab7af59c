"""Matches two skeletons by structure. Pure graph code: knows no framework and reads no name."""

from autoport.matching.matcher import match_skeletons
from autoport.matching.matching import Matching, NodePair

__all__ = ["Matching", "NodePair", "match_skeletons"]
