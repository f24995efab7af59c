"""A bias that the target lacks, carried by the means of the normalisations behind it.

A batch norm computes scale * (x - mean) / sqrt(variance + epsilon) + offset. If the source adds a
bias b to x and the target does not, the same function results from

    mean' = mean - b

The bias may pass through sums and pooling on its way: in a pre-activation ResNet a bias on the residual stream reaches
every later norm on it. Every path from it must end in a batch norm. There is no inverse: the way back sets the bias to
zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoport.facts.reasons import Code, Reason
from autoport.graph import Graph, Op, Value
from autoport.weights.piece import Piece


def find_absorptions(
    target: Graph, biases: Mapping[str, Piece]
) -> tuple[list[Absorption], dict[str, Reason], set[Value]]:
    """Follows missing biases through the target graph.

    Args:
        target: graph of the side that is written.
        biases: source bias, by the name of the target operation that lacks it.

    Returns:
        The absorptions; by path of every other bias, the reason why it cannot be absorbed; and the values that lack a
        bias which a norm further on absorbs.
    """
    shifts: dict[Value, dict[str, Piece]] = {}
    absorptions: list[Absorption] = []
    refused: dict[str, Reason] = {}
    for op in target.ops():
        incoming = [shifts.get(value, {}) for value in op.inputs]
        outgoing = _pass_on(target, op, incoming, absorptions, refused)
        if op.name in biases:
            outgoing = {**outgoing, biases[op.name].tensor: biases[op.name]}
        shifts.update({Value(op.name, k): outgoing for k in range(len(op.shapes))} if outgoing else {})
    for value in target.outputs:
        for path in shifts.get(value, {}):
            refused.setdefault(path, Reason(Code.BIAS_REACHES_OUTPUT))
    shifted = {value for value, shift in shifts.items() if shift.keys() - refused.keys()}
    return [a for a in absorptions if a.bias.tensor not in refused], refused, shifted


def _pass_on(
    target: Graph, op: Op, incoming: list[dict[str, Piece]], absorptions: list[Absorption], refused: dict[str, Reason]
) -> dict[str, Piece]:
    """Returns the biases that an operation passes on; absorbs or refuses the others."""
    biases = {path: piece for shift in incoming for path, piece in shift.items()}
    if not biases:
        return {}
    if op.kind.has_statistics:
        mean = op.weights["mean"].pieces[0] if "mean" in op.weights else None
        for path, piece in biases.items():
            if mean is None or len(mean.axes) != 1 or list(piece.axes.values()) != list(mean.axes.values()):
                refused[path] = Reason.of(Code.BIAS_WITHOUT_MEAN, norm=op.place)
            else:
                absorptions.append(Absorption(mean, piece.expand(next(iter(piece.axes)), list(mean.axes.items()))))
        return {}
    repeated = sum(len(shift) for shift in incoming) > len(biases)
    if _passes_shift(target, op) and not repeated:
        return biases
    for path in biases:
        refused[path] = Reason.of(Code.BIAS_BEFORE_NORM, operation=op.place)
    return {}


def _passes_shift(target: Graph, op: Op) -> bool:
    """Whether op(x + b) = op(x) + b for a constant b in every channel."""
    if op.kind.adds:
        shapes = {target.shape(value) for value in op.inputs}
        return "constant" in op.attrs or len(shapes) == 1
    zero_padded = op.attrs.get("pad_value") == 0.0
    return op.kind.passes_shifts and not op.attrs.get("count_include_pad", False) and not zero_padded


@dataclass(frozen=True)
class Absorption:
    """A bias that the other side lacks, carried by the mean of a normalisation behind it.

    mean' = mean - bias
    """

    mean: Piece
    bias: Piece
