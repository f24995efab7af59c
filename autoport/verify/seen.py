"""What runs on one draw of inputs show."""

from __future__ import annotations

from dataclasses import dataclass, field

from autoport.verify.comparing.outputs import Returned, all_agree
from autoport.verify.comparing.taps import Tap
from autoport.verify.running.lockstep import TapGap
from autoport.verify.verification import Spelling


@dataclass
class Seen:
    """What the runs on one draw of inputs show.

    Attributes:
        forced: every tap, where PyTorch was fed what Keras was fed.
        returned: every output of the Keras model, end to end.
        spelled: taps that differ although the functions do not.
        diverging: taps at which the functions differ.
    """

    forced: dict[Tap, TapGap]
    returned: list[Returned]
    spelled: dict[Tap, Spelling] = field(default_factory=dict)
    diverging: dict[Tap, TapGap] = field(default_factory=dict)

    @property
    def outputs_agree(self) -> bool:
        """Whether a caller gets the same from both."""
        return all_agree(self.returned)

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return bool(self.diverging) or not self.outputs_agree
