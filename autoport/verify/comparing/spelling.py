"""Places whose values part and meet again: one function in two spellings.

A scale may stand in front of a product or behind it; masked scores may be -1e9 or minus infinity. With PyTorch's own
value at such a place, everything behind it agrees again, so nothing is wrong there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from autoport.facts.places import Matched
from autoport.verify.comparing.regions import Regions
from autoport.verify.comparing.taps import OUTPUT, Tap
from autoport.verify.verification import Spelling


def spelled(
    failing: Collection[Tap], kept: Collection[Tap], agrees: Callable[[Tap], bool], regions: Regions
) -> dict[Tap, Spelling]:
    """The failing taps behind which every way leads to places that agree.

    Args:
        failing: taps that differ where PyTorch goes on with the Keras value.
        kept: the taps at which PyTorch went on with its own value, in another run.
        agrees: whether both agreed at a tap in that run.
        regions: what lies between taps.
    """
    meetings: dict[Tap, tuple[Tap, ...] | None] = {}

    def meeting(tap: Tap) -> tuple[Tap, ...] | None:
        """Where both agree again behind a tap; None if they do not on some way."""
        if agrees(tap):
            return (tap,)
        if tap not in meetings:
            children = regions.children(tap) if tap in kept and tap.kind != OUTPUT else []
            found = [meeting(child) for child in children]
            each = [taps for taps in found if taps is not None]
            whole = bool(found) and len(each) == len(found)
            meetings[tap] = tuple(dict.fromkeys(t for taps in each for t in taps)) if whole else None
        return meetings[tap]

    for tap in reversed(regions.in_order(kept)):  # so that what lies behind a tap is known, and nothing recurs deeply
        meeting(tap)
    return {
        tap: Spelling(Matched(*tap.places), tuple(Matched(*each.places) for each in again if each is not tap))
        for tap in failing
        if (again := meeting(tap)) is not None
    }
