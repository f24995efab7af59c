"""Runs a traced TensorFlow graph in float64, operation by operation, whatever it was written for.

Every float enters as float64 (inputs, variables, constants as the numbers that they stand for), and type attributes are
promoted. `kernels.py` computes what has no float64 kernel. A value is freed when its last consumer has run, so memory
stays near that of one forward pass.

An operation that runs only in float32 is run in float32. What was rounded is computed again with other roundings; the
next tap sees how far they move the value (`rounding.py`). In a run in float32 this holds for every operation.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from autoport.errors import VerificationError
from autoport.internals.keras import execute, function_body, library_function
from autoport.keras.unfilled import fill
from autoport.verify.running.kernels import KERNELS
from autoport.verify.running.numbers import intended_number, intended_numbers
from autoport.verify.running.rounding import DRAWS, UNIT, redraw_rounding

# Operations that keep what they read, or hand it on under another name.
PASSING = {"Identity", "StopGradient", "PreventGradient", "CheckNumerics", "EnsureShape", "ReadVariableOp"}
SKIPPED = {"NoOp", "Assert", "Placeholder", "VarHandleOp"}
HALVES = {tf.float16, tf.bfloat16}
# The type in which operations hold shapes.
SHAPE = type(tf.TensorShape(()).as_proto())


@dataclass
class Computed:
    """A tensor that the running graph has computed.

    Attributes:
        tensor: its values.
        draws: the same with other roundings, if any entered it since the last tap.
    """

    tensor: Any
    draws: tuple[Any, ...] = ()


@dataclass
class PromotedGraph:
    """A traced graph that runs in another float type.

    Attributes:
        graph: the `FuncGraph`.
        inputs: its symbolic inputs.
        dtype: of all floats.
        in_float32: operations that had to run in float32 although `dtype` is another.
        tables: sizes of constants that were rounded when they were computed.
        redraws_constants: whether the next place after such a constant sees how far its rounding moves values.
        others: variables to read instead of those that the graph captured, by the `id` of the captured handle.
    """

    graph: Any
    inputs: Sequence[Any]
    dtype: tf.DType = tf.float64
    in_float32: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    redraws_constants: bool = False
    others: Mapping[int, Any] = field(default_factory=dict)

    @cached_property
    def has_halves(self) -> bool:
        """Whether the graph was written for floats of 16 bits, if only in parts."""
        return any(tensor.dtype in HALVES for op in self.graph.get_operations() for tensor in op.outputs)

    def with_variables(self, values: Sequence[tuple[Any, Any]]) -> PromotedGraph:
        """The same graph with other numbers in variables; the model keeps its own.

        Args:
            values: handles of variables, and arrays.
        """
        fill(self.graph.variables)
        types = {id(variable.handle): variable.dtype for variable in self.graph.variables}
        others = {
            id(handle): tf.Variable(array, dtype=types[id(handle)]) for handle, array in values if id(handle) in types
        }
        return replace(self, others=others)

    def run(
        self, arrays: Sequence[Any], wanted: Sequence[str], *, through: bool = False
    ) -> Iterator[tuple[str, Computed]]:
        """Yields the tensors `wanted`, by name, each when it is computed.

        Args:
            arrays: one for each input.
            wanted: names of tensors.
            through: redraw every rounding from the inputs on; otherwise only roundings that are coarser than
                float64, and only from one wanted tensor to the next.

        Raises:
            VerificationError: an operation can be run neither in `dtype` nor in float32.
        """
        self._through, self._noisy = through, through or self.dtype != tf.float64
        self._seeds = itertools.count()
        fed = {tensor.name: Computed(self._promote(array)) for tensor, array in zip(self.inputs, arrays, strict=True)}
        fill(self.graph.variables)
        with tf.device("/CPU:0"):
            yield from self._run(self.graph, fed, wanted)

    def _run(self, graph: Any, fed: Mapping[str, Computed], wanted: Sequence[str]) -> Iterator[tuple[str, Computed]]:
        targets = set(wanted)
        needed = operations_needed(graph, targets)
        readers = Counter(tensor.name for op in needed for tensor in op.inputs)
        env = {
            **fed,
            **{inner.name: self._captured_value(outer) for outer, inner in graph.captures if inner.name not in fed},
        }
        for name in [name for name in targets if name in env]:
            yield name, env[name]
        for op in needed:
            for tensor, value in zip(op.outputs, self._run_op(op, env), strict=False):
                if tensor.name in targets:
                    yield tensor.name, value
                    value = value if self._through or graph is not self.graph else Computed(value.tensor)
                if readers[tensor.name]:
                    env[tensor.name] = value
            for tensor in op.inputs:
                readers[tensor.name] -= 1
                if not readers[tensor.name]:
                    env.pop(tensor.name, None)

    def _run_op(self, op: Any, env: Mapping[str, Computed]) -> list[Computed]:
        if op.type in SKIPPED:
            return [env[t.name] for t in op.outputs if t.name in env]
        if op.type == "Const":
            return [self._constant(tf.make_ndarray(op.get_attr("value")))]
        inputs = [env[tensor.name] for tensor in op.inputs]
        if op.type in CONTROL:
            return CONTROL[op.type](self, op, inputs)
        dtype, tensors = self.dtype, [value.tensor for value in inputs]
        try:
            results = _execute(op, tensors, dtype)
        except Exception:  # the eager runtime raises what it likes
            results, dtype = self._execute_narrow(op, tensors), tf.float32
        unit = UNIT[dtype] if self._noisy or dtype != self.dtype else 0.0
        redraws = range(DRAWS if unit or any(value.draws for value in inputs) else 0)
        draws = [self._redraw(op, inputs, results, k, dtype, unit) for k in redraws]
        return [
            Computed(self._promote(tensor), tuple(self._promote(draw[place]) for draw in draws))
            for place, tensor in enumerate(results)
        ]

    def _redraw(
        self, op: Any, inputs: Sequence[Computed], results: Sequence[Any], k: int, dtype: tf.DType, unit: float
    ) -> list[Any]:
        """The results of an operation for the `k`-th draws of its inputs, with its own rounding redrawn."""
        if not op.op_def.is_stateful:
            tensors = [value.draws[k] if value.draws else value.tensor for value in inputs]
            results = _execute(op, [self._redraw_rounding(_cast(tensor, dtype), unit) for tensor in tensors], dtype)
        return [self._redraw_rounding(tensor, unit) for tensor in results]

    def _redraw_rounding(self, tensor: Any, unit: float) -> Any:
        return redraw_rounding(tensor, unit, (next(self._seeds), 0)) if unit else tensor

    def _execute_narrow(self, op: Any, tensors: Sequence[Any]) -> list[Any]:
        try:
            results = _execute(op, [_cast(tensor, tf.float32) for tensor in tensors], tf.float32)
        except Exception as failure:
            raise VerificationError(
                f"the TensorFlow operation {op.type} ({op.name}) cannot be run: {failure}"
            ) from failure
        self.in_float32.add(op.type)
        return results

    def _promote(self, tensor: Any) -> Any:
        tensor = tensor if isinstance(tensor, tf.Tensor) else tf.convert_to_tensor(tensor)
        return _cast(tensor, self.dtype)

    def _constant(self, array: Any) -> Computed:
        """A constant as the numbers that it stands for; the other numbers carry a rounding."""
        stored = tf.constant(array)
        if stored.dtype not in UNIT:
            return Computed(stored)
        wide = intended_numbers(array)
        tensor, recognised = tf.constant(wide, self.dtype), wide != array.astype(np.float64)
        unit = 0.0 if stored.dtype == tf.float64 else UNIT[stored.dtype]
        draws = (
            [tf.where(recognised, tensor, self._redraw_rounding(tensor, unit)) for _ in range(DRAWS)] if unit else []
        )
        draws = [draw for draw in draws if bool(tf.reduce_any(draw != tensor))]
        if draws:
            self.tables.add("x".join(map(str, array.shape)) or "a number")
        return Computed(tensor, tuple(draws) if self.redraws_constants or self._noisy else ())

    def _captured_value(self, outer: Any) -> Computed:
        if id(outer) in self.others:
            return Computed(self.others[id(outer)].handle)
        return self._constant(outer.numpy()) if outer.dtype in UNIT else Computed(outer)

    def call(self, name: str, arguments: Sequence[Computed]) -> list[Computed]:
        """Runs a function of the graph's library."""
        graph = self._function(name)
        fed = {tensor.name: value for tensor, value in zip(graph.inputs, arguments, strict=True)}
        wanted = [tensor.name for tensor in graph.outputs]
        outputs = dict(self._run(graph, fed, wanted))
        return [outputs[name] for name in wanted]

    @cache  # noqa: B019  as long as the graph itself
    def _function(self, name: str) -> Any:
        with self.graph.as_default():
            return function_body(library_function(self.graph, name))

    def __hash__(self) -> int:
        return id(self)


def _cast(tensor: Any, dtype: tf.DType) -> Any:
    """A tensor; one of floats in another float type."""
    return tf.cast(tensor, dtype) if tensor.dtype in UNIT and tensor.dtype != dtype else tensor


def operations_needed(graph: Any, targets: set[str]) -> list[Any]:
    """Operations that the targets depend on, in order."""
    operations = graph.get_operations()
    wanted, chosen = set(targets), []
    for op in reversed(operations):
        if any(tensor.name in wanted for tensor in op.outputs):
            chosen.append(op)
            wanted |= {tensor.name for tensor in op.inputs}
    return chosen[::-1]


def _execute(op: Any, tensors: list[Any], dtype: tf.DType) -> list[Any]:
    """Runs an operation with all its floats in one type; one that reads resources keeps its types."""
    target = None if any(tensor.dtype == tf.resource for tensor in tensors) else dtype
    attributes = {attr.name: _attribute(op.get_attr(attr.name), target) for attr in op.op_def.attr}
    if target == tf.float64 and op.type in KERNELS:
        return KERNELS[op.type](tensors, attributes)
    return execute(op.type, len(op.outputs), tensors, attributes)


def _attribute(value: Any, dtype: tf.DType | None) -> Any:
    """An attribute as the eager runtime takes it, with floats of another type."""
    if isinstance(value, tf.DType):
        return (dtype if dtype is not None and value in UNIT else value).as_datatype_enum
    if isinstance(value, list):
        return [_attribute(item, dtype) for item in value]
    if isinstance(value, SHAPE):
        return None if value.unknown_rank else [axis.size for axis in value.dim]
    return intended_number(value) if dtype is not None and isinstance(value, float) else value


Control = Callable[[PromotedGraph, Any, list[Computed]], list[Computed]]


def _call(run: PromotedGraph, op: Any, inputs: list[Computed]) -> list[Computed]:
    return run.call(op.get_attr("f").name, inputs)


def _while(run: PromotedGraph, op: Any, inputs: list[Computed]) -> list[Computed]:
    cond, body = op.get_attr("cond").name, op.get_attr("body").name
    state = inputs
    while bool(run.call(cond, state)[0].tensor):
        state = run.call(body, state)
    return state


def _if(run: PromotedGraph, op: Any, inputs: list[Computed]) -> list[Computed]:
    branch = "then_branch" if bool(inputs[0].tensor) else "else_branch"
    return run.call(op.get_attr(branch).name, inputs[1:])


def _pass(run: PromotedGraph, op: Any, inputs: list[Computed]) -> list[Computed]:
    if op.type == "ReadVariableOp":
        stored = tf.raw_ops.ReadVariableOp(resource=inputs[0].tensor, dtype=op.get_attr("dtype"))
        return [Computed(run._promote(stored))]
    return inputs[:1]


CONTROL: Mapping[str, Control] = {
    "PartitionedCall": _call,
    "StatefulPartitionedCall": _call,
    "While": _while,
    "StatelessWhile": _while,
    "If": _if,
    "StatelessIf": _if,
    **dict.fromkeys(PASSING, _pass),
}
