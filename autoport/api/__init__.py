"""The public face: `match` reads two models, a `Match` is what can be done with them."""

from autoport.api.entry import match
from autoport.api.result import Match

__all__ = ["Match", "match"]
