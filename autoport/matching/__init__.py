"""Matches two skeletons by structure. Pure graph code: knows no framework and reads no name."""

from autoport.matching.matcher import Matching, NodePair, match_skeletons

__all__ = ["Matching", "NodePair", "match_skeletons"]
