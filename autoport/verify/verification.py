"""The result of a verification."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

from autoport.facts.framework import Both, Framework
from autoport.facts.places import Matched, Place
from autoport.facts.reasons import Reason
from autoport.facts.values import text

UNKNOWN = "unknown"
LIBRARIES = Both("Keras", "PyTorch")
# Places to list by name where many have one cause.
MOST_SHOWN = 3


class Answer(str, Enum):
    """What a verification says."""

    SAME = "same"
    ROUNDED = "same_but_for_rounded_constants"
    DIFFERENT = "different"

    def __str__(self) -> str:
        return self.value


class DrawKind(str, Enum):
    """What is special about a draw of inputs."""

    GIVEN = "given"
    FIRST = "first"
    AGAIN = "again"
    PADDED_END = "padded at the end"
    PADDED_START = "padded at the start"
    WIDE = "wide"

    def __str__(self) -> str:
        return self.value


SENTENCES = {
    Answer.SAME: "verified",
    Answer.ROUNDED: "verified but for constants that were rounded when they were made",
    Answer.DIFFERENT: "not the same function",
}


@dataclass(frozen=True)
class Cause:
    """Why two values differ.

    Attributes:
        name: `epsilon`, `padding`, `weights`, `preprocessing`, ...; `unknown` if nothing explains it.
        values: its values in the Keras model and in the PyTorch model, as in a difference; None if the name
            says it all.
        reasons: why this is taken as the cause.
        confirmed: whether PyTorch computes the same once it has what Keras has.
    """

    name: str
    values: tuple[Any, Any] | None = None
    reasons: tuple[Reason, ...] = ()
    confirmed: bool = False

    @property
    def tf_value(self) -> str:
        """Its value in the Keras model, in words."""
        return "" if self.values is None else text(self.values[0])

    @property
    def torch_value(self) -> str:
        """Its value in the PyTorch model, in words."""
        return "" if self.values is None else text(self.values[1])

    @property
    def evidence(self) -> str:
        """The reasons in words."""
        return "; ".join(map(str, self.reasons))

    def to_dict(self) -> dict[str, Any]:
        """Everything in words, as JSON takes it."""
        return {
            "name": self.name,
            "tf_value": self.tf_value,
            "torch_value": self.torch_value,
            "evidence": self.evidence,
            "confirmed": self.confirmed,
        }

    def __str__(self) -> str:
        values = "" if self.values is None else f": {self.tf_value} in Keras, {self.torch_value} in PyTorch"
        return f"{self.name}{values} ({self.evidence})" if self.evidence else f"{self.name}{values}"


@dataclass(frozen=True)
class NodeError:
    """How far two values are apart.

    Attributes:
        tf: the place in the Keras model.
        torch: the place in the PyTorch model.
        kind: `node` for a result of an operation, `edge` for an input of one, `output` for an output of the models.
        absolute: the largest absolute difference; infinite if the shapes do not fit.
        relative: the same in standard deviations of the Keras value.
        tolerance: the largest relative error that counts as rounding here: `rtol`, or what was measured.
    """

    tf: Place
    torch: Place
    kind: str
    absolute: float
    relative: float
    tolerance: float


@dataclass(frozen=True)
class Divergence(NodeError):
    """A place at which the models differ although they read the same values.

    Attributes:
        causes: why; the certain ones first.
    """

    causes: tuple[Cause, ...] = ()

    @property
    def cause(self) -> str:
        """Name of the first cause."""
        return self.causes[0].name if self.causes else UNKNOWN

    @property
    def places(self) -> str:
        """Both places, in words."""
        both = f"{self.tf} and {self.torch}"
        return f"what {both} read" if self.kind == "edge" else both

    @property
    def why(self) -> str:
        """The causes, in words."""
        return "; ".join(str(cause) for cause in self.causes or (Cause(UNKNOWN),))

    def __str__(self) -> str:
        return f"{self.places}: {_size(self.relative)}; {self.why}"


@dataclass(frozen=True)
class Spelling:
    """A place at which the values differ and the functions do not.

    Attributes:
        at: the places in both models.
        again: the first places behind it at which both agree again; none where it agrees by itself, once it reads
            what PyTorch computes in front of it.
    """

    at: Matched
    again: tuple[Matched, ...] = ()


@dataclass(frozen=True)
class RoundedConstant:
    """A table that one side rounded to float32 when it was made.

    Attributes:
        tf: where the Keras graph makes it.
        torch: where the PyTorch graph makes it; the first place, if it makes it several times.
        rounded: the side whose numbers float32 holds exactly; None if it holds those of both, or of neither because
            they were computed from rounded ones.
        shape: of the PyTorch table.
        difference: the largest difference, in units of the largest number.
    """

    tf: Place
    torch: Place
    rounded: Framework | None
    shape: tuple[int, ...]
    difference: float

    def __str__(self) -> str:
        rounded = (
            "rounded on one side or both"
            if self.rounded is None
            else f"rounded to float32 in {LIBRARIES[self.rounded]}"
        )
        shape = "x".join(map(str, self.shape)) or "one number"
        apart = f"apart by up to {self.difference:.1g} of the largest number"
        return f"{self.tf} and {self.torch} ({shape}): {rounded}, {apart}"


@dataclass(frozen=True)
class Verification:
    """The numeric proof of a match, or the disproof.

    Attributes:
        answer: what it says.
        rtol: the largest relative difference that counts as rounding where rounding was not measured.
        dtype: the float type of both runs.
        seed: of the random inputs; None if inputs were passed.
        outputs: end to end, one for each output.
        nodes: one for each place that was compared, where PyTorch read what its Keras counterpart read.
        divergences: where they differ, in the order of the computation, with causes.
        constants: tables that one side rounded when it was made, for which `answer` makes an exception.
        spelled: places whose values part and meet again, so that only the spelling differs.
        unobservable: tensors that differ, but provably change no output.
        layouts: outputs that hold the same in another layout, as a caller sees.
        draws: what both models were fed, in each end-to-end run.
        notes: limits of this proof.
    """

    answer: Answer
    rtol: float
    dtype: str
    seed: int | None
    outputs: tuple[NodeError, ...]
    nodes: tuple[NodeError, ...]
    divergences: tuple[Divergence, ...] = ()
    constants: tuple[RoundedConstant, ...] = ()
    spelled: tuple[Spelling, ...] = ()
    unobservable: tuple[Reason, ...] = ()
    layouts: tuple[Reason, ...] = ()
    draws: tuple[DrawKind, ...] = ()
    notes: tuple[Reason, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the two models compute the same, but for constants that were rounded when they were made."""
        return self.answer is not Answer.DIFFERENT

    @property
    def is_padded(self) -> bool:
        """Whether padded inputs were among the draws."""
        return not {DrawKind.PADDED_END, DrawKind.PADDED_START}.isdisjoint(self.draws)

    @property
    def absolute(self) -> float:
        """The largest absolute difference of the outputs."""
        return max((output.absolute for output in self.outputs), default=math.inf)

    @property
    def relative(self) -> float:
        """The largest difference of the outputs, in standard deviations of the output."""
        return max((output.relative for output in self.outputs), default=math.inf)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it: an infinite error is null."""
        summary = {"ok": self.ok, "absolute": self.absolute, "relative": self.relative}
        return {**_plain(self), **{name: _plain(value) for name, value in summary.items()}}

    def __str__(self) -> str:
        scope = f"end to end in {self.dtype}, {len(self.nodes)} places compared"
        lines = [f"{SENTENCES[self.answer]}: {_size(self.relative)} {scope}"]
        lines += [f"divergence at {text}" for text in _grouped(self.divergences)]
        lines += [f"constant: {constant}" for constant in self.constants]
        if self.constants and self.ok:
            lines.append("proof: with the constants of Keras, PyTorch returns what Keras returns")
        lines += [f"not observable: {reason}" for reason in self.unobservable]
        if self.spelled:
            places = dict.fromkeys(str(spelling.at) for spelling in self.spelled)
            lines.append(f"spelled differently, and equal again behind: {_listed([*places])}")
        lines += [f"layout: {reason}" for reason in self.layouts]
        lines += [f"note: {reason}" for reason in self.notes]
        return "\n".join(lines)


def _size(relative: float) -> str:
    return "the shapes differ" if math.isinf(relative) else f"relative error {relative:.2g}"


def _grouped(divergences: Sequence[Divergence]) -> Iterator[str]:
    """Divergences in words, those of one cause together."""
    groups: dict[str, list[Divergence]] = {}
    for divergence in divergences:
        groups.setdefault(divergence.why, []).append(divergence)
    for why, group in groups.items():
        if len(group) <= MOST_SHOWN:
            yield from map(str, group)
        else:
            largest = _size(max(divergence.relative for divergence in group))
            yield f"{_listed([divergence.places for divergence in group])}: {largest} at most; {why}"


def _listed(texts: Sequence[str]) -> str:
    """The first of many texts, and how many there are."""
    rest = len(texts) - MOST_SHOWN
    return ", ".join(texts[:MOST_SHOWN]) + (f" and {rest} more places" if rest > 0 else "")


def _plain(value: Any) -> Any:
    if isinstance(value, (Place, Matched, Reason, Answer)):
        return str(value)
    if isinstance(value, Cause):
        return value.to_dict()
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
