"""From pairs of operations to the plan of a transfer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from autoport.comparison.pairs import Pair
from autoport.graph import Graph, Value
from autoport.plan.absorption import find_absorptions
from autoport.plan.plan import Plan, build_plan


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
    roles: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for pair in pairs:
        text = f"{pair.tf} and {pair.torch}: {pair.reason}"
        for weight in pair.weights:
            written = weight.torch if plan.target.framework == "torch" else weight.tf
            for piece in written.pieces if written is not None else ():
                roles[piece.tensor][text].append(weight.role)
    for path, entry in plan.entries.items():
        reasons = (f"{', '.join(dict.fromkeys(found))} of {text}" for text, found in roles[path].items())
        plan.entries[path] = replace(entry, reason="; ".join(reasons))
