"""Matches two skeletons by structure. Pure graph code: knows no framework and reads no name."""

from autoport.matching.matcher import extend, match_skeletons
from autoport.matching.matching import Matching, NodePair
from autoport.matching.ties import tied_groups

__all__ = ["Matching", "NodePair", "extend", "match_skeletons", "tied_groups"]
