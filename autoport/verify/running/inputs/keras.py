"""What a Keras model does with its inputs before any weight comes in, from the TensorFlow graph behind it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from autoport.keras.read import KerasReading
from autoport.verify.running.inputs.reads import Comparison, Lookup, Reach, Reads
from autoport.verify.running.promote import CONTROL, PromotedGraph
from autoport.weights.algebra import Array

# Operations whose result depends on shapes only.
OF_SHAPES = {"Shape", "ShapeN", "Size", "Rank", "VariableShape", "ZerosLike", "OnesLike"}
# Operations that put values beside others, or on top: an input that they read as it is is data like the others.
JOINS = {"ConcatV2", "Pack", "AddV2", "AddN"}
# Operations that leave an input as it is.
KEEPING = {"Cast", "Identity", "Reshape", "ExpandDims", "Squeeze"}
# Kinds of numpy types.
NUMBERS = "biuf"
# Operations whose operands are the table and the index.
GATHERS = {"ResourceGather", "GatherV2", "Gather"}


def keras_reads(reading: KerasReading) -> Reads:
    """What a Keras model does with its inputs before any weight comes in."""
    trace = reading.trace
    reaches = _reaches(trace.graph, trace.inputs)
    lookups, comparisons, data = list[Lookup](), list[Comparison](), set[int]()
    plain = {tensor.name for tensor in trace.inputs}
    for op in trace.graph.get_operations():
        operands = [reaches[tensor.name] for tensor in op.inputs]
        lookups += _lookups(op, operands, trace.graph)
        comparisons += _comparisons(op, operands)
        data |= _data(op, operands, plain)
        if op.type in KEEPING and op.inputs[0].name in plain:
            plain.add(op.outputs[0].name)

    def compute(arrays: Sequence[Array], keys: Sequence[Any]) -> list[Array]:
        values = dict(PromotedGraph(trace.graph, trace.inputs).run(arrays, keys))
        return [np.asarray(values[key].tensor) for key in keys]

    return Reads(compute, lookups, comparisons, data)


def _reaches(graph: Any, inputs: Sequence[Any]) -> Mapping[str, Reach]:
    """What each tensor depends on."""
    reaches = {tensor.name: Reach(frozenset({place})) for place, tensor in enumerate(inputs)}
    for outer, inner in graph.captures:
        reaches[inner.name] = Reach(weighted=outer.dtype == tf.resource or outer.dtype.is_floating)
    for op in graph.get_operations():
        operands = [reaches[tensor.name] for tensor in op.inputs]
        reach = Reach() if op.type in OF_SHAPES else Reach.of(operands, op.op_def.is_stateful)
        for tensor in op.outputs:
            reaches.setdefault(tensor.name, reach)
    return reaches


def _lookups(op: Any, operands: Sequence[Reach], graph: Any) -> Iterator[Lookup]:
    """The choice of rows that an operation makes, if it makes one."""
    if op.type == "OneHot" and operands[0].is_trial:
        depth = tf.get_static_value(op.inputs[1])
        if depth is not None:
            yield Lookup(op.inputs[0].name, int(depth), operands[0].inputs)
    if op.type in GATHERS and operands[1].is_trial and not operands[0].inputs:
        axis = int(tf.get_static_value(op.inputs[2]) or 0) if op.type == "GatherV2" else 0
        rows = _shape(op.inputs[0], graph)[axis]
        if rows is not None:
            yield Lookup(op.inputs[1].name, int(rows), operands[1].inputs)


def _shape(table: Any, graph: Any) -> Sequence[int | None]:
    """The shape of a table: a tensor, or the handle of a variable."""
    if table.dtype != tf.resource:
        shape: list[int | None] = table.shape.as_list()
        return shape
    handle = next((outer for outer, inner in graph.captures if inner is table), None)
    return next((tuple(v.shape) for v in graph.variables if v.handle is handle), (None,))


def _comparisons(op: Any, operands: Sequence[Reach]) -> Iterator[Comparison]:
    """An operation that makes truths, or signs, of one input alone."""
    reach = Reach.of(operands)
    read = [t.dtype for t, operand in zip(op.inputs, operands, strict=True) if operand.inputs]
    makes_truths = [t.dtype for t in op.outputs] == [tf.bool] and any(dtype != tf.bool for dtype in read)
    if not reach.is_trial or len(reach.inputs) != 1 or not (makes_truths or op.type == "Sign"):
        return
    fixed = [t for t, operand in zip(op.inputs, operands, strict=True) if not operand.inputs]
    values = [np.asarray(tf.get_static_value(tensor)) for tensor in fixed]
    numbers = [float(value.ravel()[0]) for value in values if value.size == 1 and value.dtype.kind in NUMBERS]
    yield Comparison(op.outputs[0].name, min(reach.inputs), (*numbers, 0.0))


def _data(op: Any, operands: Sequence[Reach], plain: Collection[str]) -> frozenset[int]:
    """The inputs that an operation brings together with weights, or joins to anything else as they are.

    An input that is added only after some arithmetic may be a mask: scores are added to it, or biases of positions.
    """
    others = [operand for operand in operands if operand.inputs or operand.weighted]
    meets_weights = any(operand.weighted and not operand.inputs for operand in others) and op.type not in CONTROL
    joined = [len(others) > 1 and tensor.name in plain if op.type in JOINS else meets_weights for tensor in op.inputs]
    reaches = [operand for operand, is_data in zip(operands, joined, strict=True) if is_data and operand.is_trial]
    return Reach.of(reaches).inputs
