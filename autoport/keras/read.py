"""Reads a Keras model: traces it on inputs and lowers the trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

import autoport.keras.layers
import autoport.keras.ops  # noqa: F401  both fill the tables
from autoport.errors import UnbuiltModelError
from autoport.files.stored_model import StoredModel
from autoport.graph import Graph
from autoport.graph.build import input_axes
from autoport.keras.inputs import is_keras_model
from autoport.keras.lower import lower
from autoport.keras.store import KerasStore
from autoport.keras.stored import stored_model
from autoport.keras.table import known_class
from autoport.keras.trace import Trace, trace


@dataclass
class KerasReading:
    """A Keras model as a graph.

    Attributes:
        graph: the shared form.
        variables: the variable behind each path of `graph.tensors`.
        inputs: the inputs that it was traced on.
        model: the model itself.
        trace: the TensorFlow graph behind `graph`.
    """

    graph: Graph
    variables: dict[str, Any]
    inputs: Any
    model: Any
    trace: Trace

    @property
    def name(self) -> str:
        """Name of the model, shown to people."""
        return str(getattr(self.model, "name", None) or getattr(self.model, "__name__", type(self.model).__name__))

    def store(self) -> KerasStore:
        """Its variables, as they are now."""
        return KerasStore(self.variables)

    def stored_model(self) -> StoredModel:
        """The model as files know it."""
        return stored_model(self.name, self.graph, self.model, self.variables)

    def in_training(self) -> Graph:
        """The graph of the model in training mode.

        Raises:
            TraceError: the call failed.
        """
        return read(self.model, self.inputs, training=True).graph


def flat_inputs(inputs: Any) -> list[Any]:
    """The arrays of a structure of inputs, in order."""
    return [np.asarray(array) for array in tf.nest.flatten(inputs)]


def read(model: Any, inputs: Any, *, training: bool = False) -> KerasReading:
    """Reads a model.

    Args:
        model: a Keras model of either Keras, or a callable on tensors.
        inputs: example inputs with concrete shapes.
        training: whether to call it in training mode.

    Raises:
        UnbuiltModelError: it has no weights yet.
        TraceError: the call failed.
    """
    if is_keras_model(model) and not model.built:
        raise UnbuiltModelError(
            f"the Keras model {model.name!r} is not built, so it has no weights yet: "
            "call it once on example inputs, or model.build(input_shape)"
        )
    traced = trace(model, inputs, lambda layer: known_class(layer) is not None, training)
    name = "weights" if is_keras_model(model) else "variables"
    weights = list(getattr(model, name, ()))
    names = [input_axes(len(tensor.shape), whole=not tensor.dtype.is_floating) for tensor in traced.inputs]
    graph, variables = lower(traced, weights, names)
    return KerasReading(graph, variables, inputs, model, traced)
