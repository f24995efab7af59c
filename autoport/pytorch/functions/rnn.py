"""Recurrent layers: one operation for each layer and direction.

PyTorch stacks gates in front, `(gate u) i`, and keeps two biases whose sum counts, except for the
candidate gate of a GRU, where the recurrent one sits inside the reset product.
"""

from __future__ import annotations

from typing import Any

from autoport.graph import Stored, Value
from autoport.graph.vocabulary import kind_of
from autoport.pytorch.calls import Call
from autoport.pytorch.table import register
from autoport.weights.piece import Piece
from autoport.weights.role import Role

# Gates in the order PyTorch stacks them.
ORDER = {"lstm": "ifgo", "gru": "rzn", "simple_rnn": "h"}
KINDS = {"lstm": "lstm", "gru": "gru", "rnn_tanh": "simple_rnn", "rnn_relu": "simple_rnn"}


@register("lstm gru rnn_tanh rnn_relu", "input hx weights bias layers dropout training bidirectional batch_first")
def rnn(call: Call) -> Any:
    """`nn.LSTM`, `nn.GRU`, `nn.RNN`; also packed sequences, whose second argument is the sizes."""
    weights = call.get("weights")
    if not isinstance(weights, list) or not all(isinstance(w, Stored) for w in weights):
        return call.emit(KINDS[call.name] + "_by_value")
    directions = 2 if call.get("bidirectional") else 1
    per_cell = len(weights) // (call.get("layers") * directions)
    x, last, cells = call.value("input"), [], []
    initial = _initial(call)
    for layer in range(call.get("layers")):
        outputs = []
        for direction in range(directions):
            first = (layer * directions + direction) * per_cell
            paths = [w.path for w in weights[first : first + per_cell]]
            outputs.append(_cell(call, x, paths, initial, reverse=direction == 1))
        last += [Value(value.op, 1) for value in outputs]
        cells += [Value(value.op, 2) for value in outputs]
        x = outputs[0] if directions == 1 else _join(call, outputs)
    return [x, _stack(call, last), *([_stack(call, cells)] if call.name == "lstm" else [])]


def _initial(call: Call) -> list[Value]:
    """Initial states; zeros, which PyTorch makes by default, are left out."""
    hx = call.get("hx")
    states = list(hx) if isinstance(hx, (list, tuple)) and not isinstance(hx, Value) else [hx]
    values = [call.lowering.data(state) for state in states if isinstance(state, (Value, Stored))]
    return [value for value in values if call.build.graph.op(value.op).kind != "zeros"]


def _stack(call: Call, states: list[Value]) -> Value:
    shape = (len(states), *call.build.graph.shape(states[0]))
    return call.build.stack(states, 0, shape)


def _cell(call: Call, x: Value, paths: list[str], initial: list[Value], *, reverse: bool) -> Value:
    kind = KINDS[call.name]
    shape = call.build.graph.shape(x)
    batch_first = bool(call.get("batch_first"))
    weight_ih, weight_hh, *biases = paths[:4]
    gates = ORDER[kind]
    build = call.build
    units = build.graph.tensors[weight_hh].shape[1]
    weights: dict[str, list[Piece]] = {}
    for gate in kind_of(kind).gates:
        select = {"gate": gates.index(gate)}
        weights[Role("kernel", gate)] = [build.piece(weight_ih, "(gate u) i", select, gate=len(gates))]
        weights[Role("recurrent_kernel", gate)] = [build.piece(weight_hh, "(gate u) r", select, gate=len(gates))]
        parts = [build.piece(bias, "(gate u)", select, gate=len(gates)) for bias in biases]
        if parts and (kind, gate) == ("gru", "n"):
            weights[Role("bias", gate)], weights[Role("recurrent_bias", gate)] = parts[:1], parts[1:]
        elif parts:
            weights[Role("bias", gate)] = parts
    sequence = (*shape[:-1], units)
    batch = shape[0] if batch_first else shape[1] if len(shape) == 3 else 1
    return build.rnn(
        kind,
        x,
        weights,
        (sequence, (batch, units)),
        initial=initial,
        reverse=reverse,
        sequence={"batch": 0, "time": 1} if batch_first else {"batch": 1, "time": 0},
        projected=len(paths) in (3, 5),
        activation="relu" if call.name == "rnn_relu" else "tanh",
        recurrent_activation="sigmoid",
        reset_after=True,
    )


def _join(call: Call, outputs: list[Value]) -> Value:
    shape = call.build.graph.shape(outputs[0])
    return call.build.emit("concat", outputs, (*shape[:-1], 2 * shape[-1]), axis=len(shape) - 1)
