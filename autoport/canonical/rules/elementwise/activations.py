"""Activations spelled out in arithmetic become one operation.

    hard_sigmoid(x) = relu6(x + 3) / 6
    hard_swish(x)   = x * hard_sigmoid(x)
    silu(x)         = x * sigmoid(x)
    mish(x)         = x * tanh(softplus(x))
    log_sigmoid(x)  = -softplus(-x)
    celu(x, a)      = relu(x) + a * expm1(min(x, 0) / a)

The last operation of the pattern takes the new kind and reads the pattern's input; the others
stay if something else reads them, and are dropped otherwise.
"""

from __future__ import annotations

import math

from autoport.graph import Graph, Op, Value

# Graphs hold 1 / 6 as a float32, off by up to 2**-24 of it.
FLOAT32 = 1e-6
GATED = {"sigmoid": "silu", "hard_sigmoid": "hard_swish"}


def fold_activations(graph: Graph) -> None:
    """Applies the rule everywhere, inner patterns first."""
    for op in list(graph.ops()):
        replacement = _hard_sigmoid(graph, op) or _gate(graph, op) or _log_sigmoid(graph, op)
        if replacement is not None:
            graph.become(op, *replacement)
        elif op.kind == "add" and len(op.inputs) == 2:
            _fold_celu(graph, op)


def _hard_sigmoid(graph: Graph, op: Op) -> tuple[str, Value] | None:
    scale = op.attrs.get("constant")
    sixth = scale is not None and (
        (op.kind == "mul" and math.isclose(scale, 1 / 6, rel_tol=FLOAT32))
        or (op.kind == "div" and scale == 6 and not op.attrs["constant_first"])
    )
    if not sixth:
        return None
    clipped = graph.op(op.inputs[0].op)
    if clipped.kind != "relu6":
        return None
    shifted = graph.op(clipped.inputs[0].op)
    if shifted.kind == "add" and shifted.attrs.get("constant") == 3:
        return "hard_sigmoid", shifted.inputs[0]
    return None


def _gate(graph: Graph, op: Op) -> tuple[str, Value] | None:
    if op.kind != "mul" or len(op.inputs) != 2:
        return None
    for x, gate in (op.inputs, op.inputs[::-1]):
        producer = graph.op(gate.op)
        if producer.kind in GATED and producer.inputs[0] == x:
            return GATED[producer.kind], x
        if producer.kind == "tanh" and _is_softplus(inner := graph.op(producer.inputs[0].op)) and inner.inputs[0] == x:
            return "mish", x
    return None


def _log_sigmoid(graph: Graph, op: Op) -> tuple[str, Value] | None:
    if op.kind != "neg" or not _is_softplus(inner := graph.op(op.inputs[0].op)):
        return None
    negated = graph.op(inner.inputs[0].op)
    return ("log_sigmoid", negated.inputs[0]) if negated.kind == "neg" else None


def _fold_celu(graph: Graph, op: Op) -> None:
    for positive, negative in (op.inputs, op.inputs[::-1]):
        alpha, outer = _factor_and_operand(graph, graph.op(negative.op))
        if outer.kind != "expm1" or graph.op(positive.op).kind != "relu":
            continue
        within, bound = _factor_and_operand(graph, graph.op(outer.inputs[0].op))
        x = graph.op(positive.op).inputs
        if (
            bound.kind == "clamp"
            and bound.inputs == x
            and bound.attrs == {"high": 0.0}
            and math.isclose(alpha * within, 1)
        ):
            graph.become(op, "celu", x[0], alpha=alpha)
            return


def _factor_and_operand(graph: Graph, op: Op) -> tuple[float, Op]:
    """The factor of an operation, and the operand that it multiplies; 1 and the operation itself if it has none."""
    constant = op.attrs.get("constant")
    divided = op.kind == "div" and not op.attrs.get("constant_first")
    if constant is None or not (divided or op.kind == "mul"):
        return 1.0, op
    return constant if op.kind == "mul" else 1 / constant, graph.op(op.inputs[0].op)


def _is_softplus(op: Op) -> bool:
    """Whether an operation is the softplus without a factor."""
    return op.kind == "softplus" and op.attrs.get("beta", 1) == 1
