"""Runs a traced TensorFlow graph in float64, operation by operation, whatever it was written for.

Every float enters as float64 (inputs, variables, constants as the numbers that they stand for), type
attributes are promoted, and what has no float64 kernel is computed by `kernels`. A value is freed when
its last reader has run, so memory stays near that of one forward pass.

An operation that runs in float32 only is run so; what it rounds is marked, up to the next tap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto
from tensorflow.python.eager.context import context
from tensorflow.python.eager.execute import quick_execute
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

from autoport.errors import VerificationError
from autoport.verify.kernels import KERNELS
from autoport.verify.numbers import meant, meant_array

NARROW = {tf.float32, tf.float16, tf.bfloat16}
# Operations that keep what they read, or hand it on under another name.
PASSING = {"Identity", "StopGradient", "PreventGradient", "CheckNumerics", "EnsureShape", "ReadVariableOp"}
SKIPPED = {"NoOp", "Assert", "Placeholder", "VarHandleOp"}


@dataclass
class Value:
    """A tensor of the running graph.

    Attributes:
        tensor: its value.
        rounded: whether a float32 rounding entered it since the last tap.
    """

    tensor: Any
    rounded: bool = False


@dataclass
class Promoted:
    """A traced graph that is run in float64.

    Attributes:
        graph: the `FuncGraph`.
        inputs: its symbolic inputs.
        in_float32: operations that had to run in float32.
    """

    graph: Any
    inputs: Sequence[Any]
    in_float32: set[str] = field(default_factory=set)

    def run(self, arrays: Sequence[Any], wanted: Sequence[str]) -> Iterator[tuple[str, Value]]:
        """Yields the tensors `wanted`, by name, each when it is made.

        Args:
            arrays: one for each input.
            wanted: names of tensors.

        Raises:
            VerificationError: an operation can be run neither in float64 nor in float32.
        """
        fed = {tensor.name: Value(promoted(array)) for tensor, array in zip(self.inputs, arrays, strict=True)}
        with tf.device("/CPU:0"):
            yield from self._run(self.graph, fed, wanted)

    def _run(self, graph: Any, fed: Mapping[str, Value], wanted: Sequence[str]) -> Iterator[tuple[str, Value]]:
        targets = set(wanted)
        needed = _needed(graph, targets)
        readers = Counter(tensor.name for op in needed for tensor in op.inputs)
        env = {**fed, **{inner.name: _captured(outer) for outer, inner in graph.captures if inner.name not in fed}}
        for name in [name for name in targets if name in env]:
            yield name, env[name]
        for op in needed:
            for tensor, value in zip(op.outputs, self._op(op, env), strict=False):
                if tensor.name in targets:
                    yield tensor.name, value
                    value = Value(value.tensor)
                if readers[tensor.name]:
                    env[tensor.name] = value
            for tensor in op.inputs:
                readers[tensor.name] -= 1
                if not readers[tensor.name]:
                    env.pop(tensor.name, None)

    def _op(self, op: Any, env: Mapping[str, Value]) -> list[Value]:
        if op.type in SKIPPED:
            return [env[t.name] for t in op.outputs if t.name in env]
        if op.type == "Const":
            return [_constant(tf.make_ndarray(op.get_attr("value")))]
        read = [env[tensor.name] for tensor in op.inputs]
        if op.type in CONTROL:
            return CONTROL[op.type](self, op, read)
        tensors = [value.tensor for value in read]
        rounded = any(value.rounded for value in read)
        try:
            made = _execute(op, tensors)
        except Exception:  # the eager runtime raises what it likes
            made, rounded = self._execute_narrow(op, tensors), True
        return [Value(promoted(tensor), rounded) for tensor in made]

    def _execute_narrow(self, op: Any, tensors: list[Any]) -> list[Any]:
        self.in_float32.add(op.type)
        narrow = [tf.cast(t, tf.float32) if t.dtype == tf.float64 else t for t in tensors]
        try:
            return _execute(op, narrow, promote=False)
        except Exception as failure:
            raise VerificationError(
                f"the TensorFlow operation {op.type} ({op.name}) cannot be run: {failure}"
            ) from failure

    def call(self, name: str, arguments: Sequence[Value]) -> list[Value]:
        """Runs a function of the graph's library."""
        graph = self._function(name)
        fed = {tensor.name: value for tensor, value in zip(graph.inputs, arguments, strict=True)}
        wanted = [tensor.name for tensor in graph.outputs]
        found = dict(self._run(graph, fed, wanted))
        return [found[name] for name in wanted]

    @cache  # noqa: B019  as long as the graph itself
    def _function(self, name: str) -> Any:
        definition = self.graph._get_function(name).cached_definition
        with self.graph.as_default():
            return function_def_to_graph(definition)

    def __hash__(self) -> int:
        return id(self)


def promoted(tensor: Any) -> Any:
    """A tensor, in float64 if it is of a float type."""
    tensor = tensor if isinstance(tensor, tf.Tensor) else tf.convert_to_tensor(tensor)
    return tf.cast(tensor, tf.float64) if tensor.dtype in NARROW else tensor


def _constant(array: Any) -> Value:
    if array.dtype not in (np.float32, np.float16, tf.bfloat16.as_numpy_dtype):
        return Value(tf.constant(array))
    wide = meant_array(array)
    exact = wide == np.round(wide)
    return Value(tf.constant(wide), bool(np.any((wide == array.astype(np.float64)) & ~exact & ~_short(wide))))


def _short(wide: Any) -> Any:
    """Which numbers float32 holds exactly although they are no whole numbers: 0.5, 0.125."""
    return wide * 2.0**12 == np.round(wide * 2.0**12)


def _captured(outer: Any) -> Value:
    if outer.dtype in (tf.resource, tf.variant) or outer.dtype not in NARROW:
        return Value(outer)
    return _constant(outer.numpy())


def _needed(graph: Any, targets: set[str]) -> list[Any]:
    """Operations that the targets depend on, in order."""
    operations = graph.get_operations()
    wanted, chosen = set(targets), []
    for op in reversed(operations):
        if any(tensor.name in wanted for tensor in op.outputs):
            chosen.append(op)
            wanted |= {tensor.name for tensor in op.inputs}
    return chosen[::-1]


def _execute(op: Any, tensors: list[Any], *, promote: bool = True) -> list[Any]:
    wide = promote and not any(tensor.dtype == tf.resource for tensor in tensors)
    attributes = {attr.name: _attribute(op.get_attr(attr.name), wide) for attr in op.op_def.attr}
    if wide and op.type in KERNELS:
        return KERNELS[op.type](tensors, attributes)
    flat = tuple(item for pair in attributes.items() for item in pair)
    made: list[Any] = quick_execute(op.type, len(op.outputs), tensors, flat, context())
    return made or []


def _attribute(value: Any, wide: bool) -> Any:
    """An attribute as the eager runtime takes it, promoted."""
    if isinstance(value, tf.DType):
        return (tf.float64 if wide and value in NARROW else value).as_datatype_enum
    if isinstance(value, list):
        return [_attribute(item, wide) for item in value]
    if isinstance(value, TensorShapeProto):
        return None if value.unknown_rank else [axis.size for axis in value.dim]
    return meant(value) if wide and isinstance(value, float) else value


Control = Callable[[Promoted, Any, list[Value]], list[Value]]


def _call(run: Promoted, op: Any, read: list[Value]) -> list[Value]:
    return run.call(op.get_attr("f").name, read)


def _while(run: Promoted, op: Any, read: list[Value]) -> list[Value]:
    cond, body = op.get_attr("cond").name, op.get_attr("body").name
    state = read
    while bool(run.call(cond, state)[0].tensor):
        state = run.call(body, state)
    return state


def _if(run: Promoted, op: Any, read: list[Value]) -> list[Value]:
    branch = "then_branch" if bool(read[0].tensor) else "else_branch"
    return run.call(op.get_attr(branch).name, read[1:])


def _pass(run: Promoted, op: Any, read: list[Value]) -> list[Value]:
    if op.type == "ReadVariableOp":
        stored = tf.raw_ops.ReadVariableOp(resource=read[0].tensor, dtype=op.get_attr("dtype"))
        return [Value(promoted(stored))]
    return read[:1]


CONTROL: Mapping[str, Control] = {
    "PartitionedCall": _call,
    "StatefulPartitionedCall": _call,
    "While": _while,
    "StatelessWhile": _while,
    "If": _if,
    "StatelessIf": _if,
    **dict.fromkeys(PASSING, _pass),
}
