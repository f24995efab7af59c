"""From pairs of operations to the plan of a transfer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from autoport.comparison.pairs import Pair
from autoport.facts.places import Place
from autoport.facts.reasons import Code, Reason, Several
from autoport.graph import Graph, Value
from autoport.plan.absorption import find_absorptions
from autoport.plan.plan import Plan, build_plan
from autoport.weights.role import Role

# The places of two matched operations, and why they are a pair.
Why = tuple[Place, Place, Reason]


def plan_transfer(pairs: Sequence[Pair], target: Graph, to: str) -> tuple[Plan, set[Value]]:
    """Plans one direction.

    Args:
        pairs: matched operations with their weights.
        target: graph of the side that is written.
        to: `torch` or `tf`.

    Returns:
        The plan, and the values of the target that lack a bias which is absorbed further on.
    """
    biases = {}
    for pair in pairs:
        for weight in pair.weights:
            source, written = (weight.tf, weight.torch) if to == "torch" else (weight.torch, weight.tf)
            if weight.role == "bias" and written is None and source is not None:
                op = pair.torch if to == "torch" else pair.tf
                biases[op.name] = source.pieces[0]
    absorbed, refused, shifted = find_absorptions(target, biases)
    plan = build_plan([w for pair in pairs for w in pair.weights], target, to=to, absorptions=absorbed)
    plan.refused.update(refused)
    _explain(plan, pairs)
    return plan, shifted


def _explain(plan: Plan, pairs: Sequence[Pair]) -> None:
    """Says of every entry which operations it belongs to, and why they are a pair."""
    roles: dict[str, dict[Why, dict[Role, None]]] = defaultdict(lambda: defaultdict(dict))
    for pair in pairs:
        why = pair.tf.place, pair.torch.place, pair.reason
        for weight in pair.weights:
            written = weight.torch if plan.target.framework == "torch" else weight.tf
            for piece in written.pieces if written is not None else ():
                roles[piece.tensor][why][weight.role] = None
    for path, entry in plan.entries.items():
        reasons = (
            Reason.of(Code.BELONGS, roles=Several(read_as), tf=tf, torch=torch, reason=reason)
            for (tf, torch, reason), read_as in roles[path].items()
        )
        plan.entries[path] = replace(entry, reasons=tuple(reasons))
