"""Matches two skeletons by structure. Pure graph code: knows no framework and reads no name."""

from autoport.matching.matcher import extended, match_skeletons
from autoport.matching.matching import Matching, NodePair
from autoport.matching.ties import tied

__all__ = ["Matching", "NodePair", "extended", "match_skeletons", "tied"]
