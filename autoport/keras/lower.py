"""A traced Keras model -> the shared vocabulary, by the tables of layers and of TensorFlow operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from autoport.graph import Graph, Op, Parameters, Stored, Tensor, Value
from autoport.graph.build import Builder
from autoport.graph.vocabulary import foreign_kind
from autoport.keras.calls import Layer, RawOp, is_variable
from autoport.keras.graphs.bodies import called_body
from autoport.keras.graphs.constants import fold_constants
from autoport.keras.graphs.inside import last_reader
from autoport.keras.table import LAYERS, OPS, known_class
from autoport.keras.trace import LayerCall, Trace


class KerasLowering:
    """Walks a trace in order and applies the tables."""

    def __init__(self, trace: Trace, variables: Sequence[Any]) -> None:
        self.trace = trace
        self.builder = Builder()
        self.env: dict[str, Any] = {}
        self.variables: dict[str, Any] = {}
        self._paths: dict[int, str] = {}
        self._parameters = Parameters(self._parameter)
        for variable in variables:
            self._register(variable)
        self._shapes = {name: tuple(map(int, value)) for name, value in trace.ran.items() if value.dtype != bool}
        conditions = {name: value for name, value in trace.ran.items() if value.dtype == bool}
        values = {**self._static_shapes(trace.graph), **conditions}
        arguments = [
            t
            for call in trace.calls
            for t in tf.nest.flatten(list(call.arguments.values()))
            if tf.is_symbolic_tensor(t)
        ]
        self._fixed, self._static = fold_constants(trace.graph, values, arguments)
        self._handles: dict[str, str] = {}
        self._operations = trace.graph.get_operations()
        for external, internal in trace.graph.captures:
            path = self._captured_path(external)
            self.env[internal.name] = Stored(path) if path else None
            if path:
                self._handles[path] = internal.name
            if external.dtype not in (tf.resource, tf.variant):
                self._static[internal.name] = np.asarray(external)

    def _register(self, variable: Any) -> str:
        base = str(getattr(variable, "path", None) or variable.name.split(":")[0])
        path, number = base, 1
        while path in self.variables:
            number += 1
            path = f"{base}#{number}"
        self.variables[path] = variable
        self._paths[id(variable)] = path
        dtype = tf.as_dtype(variable.dtype).name
        trainable = bool(getattr(variable, "trainable", True))
        self.builder.tensor(Tensor(path, tuple(int(d) for d in variable.shape), dtype, trainable))
        raw = getattr(variable, "value", None)
        for handle in (variable, raw if not callable(raw) else None):
            if handle is not None and hasattr(handle, "handle"):
                self._paths[id(handle.handle)] = path
        return path

    def _captured_path(self, external: Any) -> str | None:
        path = self._paths.get(id(external))
        if path is not None or external.dtype != tf.resource:
            return path
        for variable in self.trace.graph.variables:
            if variable.handle is external:
                return self._register(variable)
        return None

    def path_of(self, variable: Any) -> str:
        """Path under which a variable is registered."""
        return self._paths.get(id(variable)) or self._register(variable)

    def run(self, input_axes: Sequence[Sequence[str]]) -> Graph:
        """Lowers everything; `input_axes` names the data axes of each input."""
        for place, (tensor, axes) in enumerate(zip(self.trace.inputs, input_axes, strict=True)):
            self.builder.type = "input"
            self.env[tensor.name] = self.builder.emit(
                "input", [], self.shape_of(tensor), axes=list(axes), position=place
            )
        operations = self._operations
        calls = iter(self.trace.calls)
        call = next(calls, None)
        index = 0
        while index < len(operations):
            while call is not None and call.start == call.stop:
                call = next(calls, None)
            if call is not None and index == call.start:
                self._layer(call)
                index, call = call.stop, next(calls, None)
            else:
                self._op(operations[index], index)
                index += 1
        self.builder.graph.outputs = [self.value(t) for t in self.trace.outputs]
        self.builder.graph.output_paths = self.trace.output_paths
        self._note_origins()
        return self.builder.graph

    def _note_origins(self) -> None:
        captured = {internal.name for _, internal in self.trace.graph.captures}
        for name, source in self.env.items():
            value = self._parameters.get(source.path) if isinstance(source, Stored) else source
            if value is not None and name not in captured:
                self.builder.graph.origins.setdefault(value, name)

    def _layer(self, call: LayerCall) -> None:
        name = str(known_class(call.layer))
        self.builder.latest.clear()
        self.builder.path, self.builder.type = call.path, type(call.layer).__name__
        result = LAYERS[name](Layer(call, self))
        values = result if isinstance(result, list) else [result]
        for tensor, value in zip(call.outputs, values, strict=False):
            self.env[tensor.name] = value
        inner = [op for op in self.builder.latest if op.weights and Value(op.name) not in values]
        if inner:
            self._find_inner(inner, self._operations[call.start : call.stop])

    def _find_inner(self, emitted: Sequence[Op], operations: Sequence[Any]) -> None:
        """Notes the origin of operations inside of a layer: the last tensor computed from their weights."""
        for op in emitted:
            tensor = last_reader(operations, {self._handles[path] for path in op.tensors if path in self._handles})
            if tensor is not None and self.shape_of(tensor) == op.shapes[0] and len(op.shapes) == 1:
                self.builder.graph.origins[Value(op.name)] = tensor.name

    def _op(self, op: Any, index: int | None) -> None:
        if not op.outputs or op.outputs[0].name in self.env or op.type == "Placeholder" or op.name in self._fixed:
            return
        if index is not None:
            self.builder.path = self.trace.scope(index)
        self.builder.type = op.type
        body = called_body(op, self.shape_of, self.static_value)
        result: Any = self._inline(op, *body) if body else OPS.get(op.type, _unknown)(RawOp(op, self))
        for number, tensor in enumerate(op.outputs):
            if isinstance(result, list):
                self.env[tensor.name] = result[number]
            else:
                self.env[tensor.name] = Value(result.op, number) if number else result

    def shape_of(self, tensor: Any) -> tuple[int, ...]:
        """Shape of a symbolic tensor; -1 for an open size."""
        shape = tensor.shape
        if tensor.name in self._shapes:
            return self._shapes[tensor.name]
        return () if shape.rank is None else tuple(-1 if d is None else int(d) for d in shape)

    def _static_shapes(self, graph: Any) -> dict[str, Any]:
        """The results of the `Shape` operations whose input has no open size."""
        operations = [op for op in graph.get_operations() if op.type == "Shape"]
        shapes = [(op.outputs[0], self.shape_of(op.inputs[0])) for op in operations]
        static = [(t, s) for t, s in shapes if -1 not in s and len(s) == t.shape[0]]
        return {t.name: np.asarray(s, t.dtype.as_numpy_dtype) for t, s in static}

    def _inline(self, op: Any, body: Any, arguments: Sequence[Any]) -> list[Any]:
        """Lowers the body of a called function in place, in a namespace of its own."""
        outside = self.env, self._fixed, self._static, self._shapes
        constants = {}
        inner: dict[str, Any] = {}
        for tensor, argument in zip(body.inputs, arguments, strict=True):
            array = None if tensor.dtype == tf.resource else self.static_value(argument)
            if array is not None:
                constants[tensor.name] = np.asarray(array)
            else:
                inner[tensor.name] = self.env[argument.name] if argument.name in self.env else self.value(argument)
        self.env, self._shapes = inner, {}
        self._fixed, self._static = fold_constants(body, {**self._static_shapes(body), **constants})
        try:
            for inner_op in body.get_operations():
                self._op(inner_op, None)
            return [self.env[t.name] if t.name in self.env else self.value(t) for t in body.outputs]
        finally:
            self.env, self._fixed, self._static, self._shapes = outside

    def source(self, tensor: Any) -> Any:
        """Where a tensor comes from: `Value`, `Stored`, or None for a constant."""
        return self.env.get(tensor.name)

    def static_value(self, tensor: Any) -> Any:
        """A constant as an array, also one that was made outside of the graph; None for anything else."""
        return self._static[tensor.name] if tensor.name in self._static else tf.get_static_value(tensor)

    def _parameter(self, path: str) -> Value:
        """A variable as data; one of integers is a constant table."""
        variable = self.variables[path]
        if tf.as_dtype(variable.dtype).is_integer:
            return self.builder.constant(np.asarray(variable), tuple(variable.shape))
        return self.builder.parameter(path)

    def value(self, tensor: Any) -> Value:
        """A tensor or a variable as data, wherever it comes from."""
        if isinstance(tensor, tf.Tensor) and not tf.is_symbolic_tensor(tensor):
            return self.builder.constant(np.asarray(tensor), tuple(tensor.shape))
        source = Stored(self.path_of(tensor)) if is_variable(tensor) else self.env.get(tensor.name)
        if isinstance(source, Value):
            return source
        if isinstance(source, Stored):
            return self._parameters[source.path]
        array = self.static_value(tensor)
        constant = self.builder.constant(None if array is None else np.asarray(array), self.shape_of(tensor))
        self.env[tensor.name] = constant
        return constant


def _unknown(raw: RawOp) -> Any:
    return raw.emit(foreign_kind(raw.op.type))


def lower(trace: Trace, variables: Sequence[Any], input_axes: Sequence[Sequence[str]]) -> tuple[Graph, dict[str, Any]]:
    """Lowers a trace.

    Args:
        trace: what `autoport.keras.trace.trace` returned.
        variables: the model's variables.
        input_axes: names of the data axes of each input, for example `[["n", "h", "w", "c"]]`.

    Returns:
        The graph, and the variables by the path under which the graph knows them.
    """
    lowering = KerasLowering(trace, variables)
    graph = lowering.run(input_axes)
    return graph, lowering.variables
