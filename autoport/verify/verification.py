"""The result of a verification."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from autoport.facts.places import Place
from autoport.facts.reasons import Reason
from autoport.facts.values import text

UNKNOWN = "unknown"


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

    def __str__(self) -> str:
        where = {"edge": f"what {self.tf} and {self.torch} read", "output": f"{self.tf} and {self.torch}"}
        size = "the shapes differ" if math.isinf(self.relative) else f"relative error {self.relative:.2g}"
        place = where.get(self.kind, f"{self.tf} and {self.torch}")
        return f"{place}: {size}; " + "; ".join(str(cause) for cause in self.causes or (Cause(UNKNOWN),))


@dataclass(frozen=True)
class Verification:
    """The numeric proof of a match, or the disproof.

    Attributes:
        ok: the two models compute the same.
        rtol: the largest relative difference that counts as rounding where rounding was not measured.
        dtype: the float type of both runs.
        seed: of the random inputs; None if inputs were passed.
        outputs: end to end, one for each output.
        nodes: one for each place that was compared, where PyTorch read what its Keras counterpart read.
        divergences: where they differ, in the order of the computation, with causes.
        unobservable: tensors that differ, but provably change no output.
        notes: limits of this proof.
    """

    ok: bool
    rtol: float
    dtype: str
    seed: int | None
    outputs: tuple[NodeError, ...]
    nodes: tuple[NodeError, ...]
    divergences: tuple[Divergence, ...] = ()
    unobservable: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()

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
        return {**_plain(self), "absolute": _plain(self.absolute), "relative": _plain(self.relative)}

    def __str__(self) -> str:
        state = "verified" if self.ok else "not the same function"
        error = "the shapes differ" if math.isinf(self.relative) else f"relative error {self.relative:.2g}"
        lines = [f"{state}: {error} end to end in {self.dtype}, {len(self.nodes)} places compared"]
        lines += [f"divergence at {divergence}" for divergence in self.divergences]
        lines += [f"not observable: {text}" for text in self.unobservable]
        lines += [f"note: {text}" for text in self.notes]
        return "\n".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, (Place, Reason)):
        return str(value)
    if isinstance(value, Cause):
        return value.to_dict()
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
