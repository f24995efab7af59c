"""Recurrent layers. Keras stacks gates behind, `i (gate u)`, in orders of its own."""

from __future__ import annotations

from typing import Any

from autoport.graph import Value
from autoport.graph.vocabulary import kind_of
from autoport.keras.calls import Layer
from autoport.keras.layers.activation import activation_kind
from autoport.keras.table import known_class, layer_rule
from autoport.weights.role import Role

# Gates in the order Keras stacks them, by PyTorch's letters.
ORDER = {"lstm": "ifgo", "gru": "zrn", "simple_rnn": "h"}
KINDS = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "simple_rnn"}


@layer_rule("LSTM GRU SimpleRNN")
def rnn(call: Layer) -> Any:
    """`LSTM`, `GRU`, `SimpleRNN`."""
    y = _cell(call, call.layer, call.x)
    first = y if call.layer.return_sequences else Value(y.op, 1)
    return [first, Value(y.op, 1), Value(y.op, 2)]


@layer_rule("Bidirectional")
def bidirectional(call: Layer) -> Any:
    """Both directions of a recurrent layer, merged."""
    layer = call.layer
    if any(known_class(inner) not in KINDS for inner in (layer.forward_layer, layer.backward_layer)):
        return call.emit("bidirectional")
    cells = [_cell(call, inner, call.x) for inner in (layer.forward_layer, layer.backward_layer)]
    whole = layer.forward_layer.return_sequences
    ends = [cell if whole else Value(cell.op, 1) for cell in cells]
    if layer.merge_mode is None:
        return ends
    if layer.merge_mode == "concat":
        merged = call.emit("concat", ends, axis=len(call.out) - 1)
    else:
        kind = {"sum": "add", "ave": "add", "mul": "mul"}[layer.merge_mode]
        merged = call.emit(kind, ends)
        if layer.merge_mode == "ave":
            merged = call.emit("mul", [merged], constant=0.5, constant_first=False)
    count = 2 if known_class(layer.forward_layer) == "LSTM" else 1
    return [merged, *(Value(cell.op, 1 + number) for cell in cells for number in range(count))]


def _cell(call: Layer, layer: Any, x: Value) -> Value:
    kind = KINDS[str(known_class(layer))]
    gates = ORDER[kind]
    cell = layer.cell
    weights: dict[str, list[Any]] = {}
    for gate in kind_of(kind).gates:
        select, sizes = {"gate": gates.index(gate)}, {"gate": len(gates)}
        weights[Role("kernel", gate)] = [call.piece(cell.kernel, "i (gate u)", select, **sizes)]
        weights[Role("recurrent_kernel", gate)] = [call.piece(cell.recurrent_kernel, "r (gate u)", select, **sizes)]
        weights |= _biases(call, cell, kind, gate, select, sizes)
    batch, time, _ = call.build.graph.shape(x)
    units = int(cell.units)
    activation = activation_kind(cell.activation)
    recurrent = activation_kind(getattr(cell, "recurrent_activation", None))
    return call.build.rnn(
        kind,
        x,
        weights,
        ((batch, time, units), (batch, units)),
        initial=call.inputs("initial_state"),
        masked=call.call.arguments.get("mask") is not None,
        sequence={"batch": 0, "time": 1},
        reverse=bool(layer.go_backwards),
        projected=False,
        activation=activation[0] if activation else "linear",
        recurrent_activation=recurrent[0] if recurrent else "sigmoid",
        reset_after=bool(getattr(cell, "reset_after", True)),
    )


def _biases(call: Layer, cell: Any, kind: str, gate: str, select: Any, sizes: Any) -> dict[str, list[Any]]:
    """A GRU with `reset_after` has two rows, input and recurrent; only the candidate tells them apart."""
    if cell.bias is None:
        return {}
    if len(cell.bias.shape) == 1:
        return {Role("bias", gate): [call.piece(cell.bias, "(gate u)", select, **sizes)]}
    rows = [call.piece(cell.bias, "row (gate u)", {**select, "row": row}, **sizes) for row in (0, 1)]
    if (kind, gate) == ("gru", "n"):
        return {Role("bias", gate): rows[:1], Role("recurrent_bias", gate): rows[1:]}
    return {Role("bias", gate): rows}
