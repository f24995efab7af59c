"""Traces a Keras model, or any callable on tensors, into a TensorFlow `FuncGraph`.

Tracing watches `Layer.__call__` of Keras 3 and of tf_keras. A call of a layer in the table becomes one record, with the
range of TensorFlow operations that it created. Tracing descends into any other layer, which leaves its raw operations.
"""

from __future__ import annotations

import inspect
import logging
import sys
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from autoport.base.exclusive import exclusive
from autoport.errors import TraceError, UnbuiltModelError
from autoport.graph.op import OutputPath
from autoport.internals.keras import autograph
from autoport.keras.unfilled import fill

logger = logging.getLogger(__name__)
# Operations that run one of two functions.
BRANCHES = {"If", "StatelessIf"}


@dataclass
class LayerCall:
    """One call of a known layer.

    Attributes:
        layer: the layer object.
        path: names of the enclosing layers and its own.
        arguments: by parameter name.
        outputs: symbolic tensors it returned, in order.
        start: index of the first TensorFlow operation it created.
        stop: index behind the last one.
    """

    layer: Any
    path: str
    arguments: Mapping[str, Any]
    outputs: list[Any]
    start: int
    stop: int


@dataclass
class Trace:
    """A traced model.

    Attributes:
        graph: the TensorFlow graph.
        inputs: its symbolic inputs, in order.
        outputs: its symbolic outputs, in order.
        output_paths: for each output the keys and places that lead to it in what the model returns.
        calls: calls of known layers, in order.
        scopes: path of the innermost composite layer, for the operations from an index on.
        ran: by tensor, what one run told and tracing leaves open: a shape, or the value of a condition.
    """

    graph: Any
    inputs: list[Any]
    outputs: list[Any]
    output_paths: list[OutputPath] = field(default_factory=list)
    calls: list[LayerCall] = field(default_factory=list)
    scopes: list[tuple[int, str]] = field(default_factory=list)
    ran: dict[str, Any] = field(default_factory=dict)

    def scope(self, index: int) -> str:
        """Path of the innermost composite layer that creates the operation of an index."""
        place = bisect_right(self.scopes, index, key=lambda scope: scope[0]) - 1
        return self.scopes[place][1] if place >= 0 else ""

    def path_of(self, index: int) -> str:
        """Path of the layer that creates the operation of an index: a known one, or a composite one."""
        known = (call.path for call in self.calls if call.start <= index < call.stop)
        return next(known, "") or self.scope(index)


def layer_classes() -> list[Any]:
    """The base `Layer` of every Keras that is loaded."""
    modules = (sys.modules.get(name) for name in ("keras", "tf_keras"))
    return [module.layers.Layer for module in modules if module is not None]


class _Watcher:
    """Turns layer calls into records; one for each trace."""

    def __init__(self, known: Callable[[Any], bool]) -> None:
        self.known = known
        self.calls: list[LayerCall] = []
        self.scopes: list[tuple[int, str]] = []
        self.stack: list[str] = []
        self.root: Any = None
        self.inside = False

    def call(self, original: Callable[..., Any], layer: Any, args: Any, kwargs: Any) -> Any:
        graph = tf.compat.v1.get_default_graph()
        if self.inside or graph is not self.root:
            return original(layer, *args, **kwargs)
        self.stack.append(layer.name)
        if not layer.built and type(layer).build not in [cls.build for cls in layer_classes()]:
            raise UnbuiltModelError(
                f"the Keras layer {self._path()!r} is not built, so it has no weights yet: "
                "call the model once on example inputs before it is matched"
            )
        try:
            if self.known(layer):
                return self._record(original, layer, args, kwargs)
            self.scopes.append((graph.version, self._path()))
            return original(layer, *args, **kwargs)
        finally:
            self.stack.pop()
            self.scopes.append((graph.version, self._path()))

    def _record(self, original: Callable[..., Any], layer: Any, args: Any, kwargs: Any) -> Any:
        start = self.root.version
        self.inside = True
        try:
            result = original(layer, *args, **kwargs)
        finally:
            self.inside = False
        bound = inspect.signature(layer.call).bind_partial
        try:
            arguments = bound(*args, **kwargs).arguments
        except TypeError:  # arguments that `__call__` itself consumed
            arguments = {str(place): value for place, value in enumerate(args)} | dict(kwargs)
        outputs = [t for t in tf.nest.flatten(result) if isinstance(t, tf.Tensor)]
        self.calls.append(LayerCall(layer, self._path(), arguments, outputs, start, self.root.version))
        return result

    def _path(self) -> str:
        return "/".join(self.stack[1:]) or (self.stack[0] if self.stack else "")


@contextmanager
def _watch(watcher: _Watcher) -> Iterator[None]:
    """Patches `Layer.__call__` for the time of a trace."""
    originals = [(cls, cls.__call__) for cls in layer_classes()]
    owner = threading.get_ident()

    def patched(original: Callable[..., Any]) -> Callable[..., Any]:
        def __call__(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != owner:
                return original(layer, *args, **kwargs)
            return watcher.call(original, layer, args, kwargs)

        return __call__

    try:
        for cls, original in originals:
            cls.__call__ = patched(original)
        yield
    finally:
        for cls, original in originals:
            cls.__call__ = original


@exclusive
def trace(model: Any, inputs: Any, known: Callable[[Any], bool], training: bool = False) -> Trace:
    """Traces `model(inputs, training=training)` without running it.

    Args:
        model: a Keras model of either Keras, or a callable on tensors.
        inputs: example inputs (array, or a structure of arrays) with concrete shapes.
        known: whether the table has a row for a layer.
        training: the mode.

    Raises:
        TraceError: the call failed.
    """
    error: Exception | None = None
    # Python's control flow on tensors needs autograph, which is slower and not always right.
    for translated in (False, True):
        try:
            return _trace_once(model, inputs, _Watcher(known), translated, training)
        except UnbuiltModelError:
            raise
        except Exception as failure:  # a user's call may raise anything
            logger.debug("tracing %s autograph failed: %s", "with" if translated else "without", failure)
            error = error or failure
    shapes = ", ".join(str(tuple(np.shape(array))) for array in tf.nest.flatten(inputs))
    raise TraceError(f"{_name(model)} failed on inputs of shape {shapes}: {error}") from error


def _trace_once(model: Any, inputs: Any, watcher: _Watcher, translated: bool, training: bool) -> Trace:
    captured: dict[str, Any] = {}

    def forward(*flat: Any) -> Any:
        watcher.root = tf.compat.v1.get_default_graph()
        captured["inputs"] = list(flat)
        with autograph(translated):
            result = _call(model, tf.nest.pack_sequence_as(inputs, list(flat)), training)
        captured["paths"], captured["outputs"] = _tensors(result)
        captured["open"] = _open_tensors(watcher.root, captured["outputs"])
        sizes = [tf.shape(t) if t.dtype != tf.bool else t for t in captured["open"]]
        return captured["outputs"], sizes

    arrays = tf.nest.flatten(inputs)
    with _watch(watcher):
        function = tf.function(forward, autograph=False).get_concrete_function(*map(_spec, arrays))
    returned = captured["outputs"], captured["paths"]
    trace = Trace(function.graph, captured["inputs"], *returned, watcher.calls, watcher.scopes)
    if captured["open"] and not training:  # a run would change statistics
        fill(function.graph.variables)
        _, found = function(*map(tf.convert_to_tensor, arrays))
        trace.ran = {t.name: np.asarray(value) for t, value in zip(captured["open"], found, strict=True)}
    return trace


def _open_tensors(graph: Any, results: Sequence[Any]) -> list[Any]:
    """Tensors that only a run tells more of: those of open shape that are read, and conditions of branches."""
    operations = graph.get_operations()
    tensors = [t for op in operations for t in op.outputs if t.dtype.is_floating or t.dtype.is_integer]
    conditions = [op.inputs[0] for op in operations if op.type in BRANCHES]
    returned = {t.name for t in results}
    shapes = [t for t in tensors if not t.shape.is_fully_defined() and (t.consumers() or t.name in returned)]
    return [*shapes, *(t for t in conditions if t.dtype == tf.bool)]


def _spec(array: Any) -> Any:
    array = array if hasattr(array, "dtype") and hasattr(array, "shape") else np.asarray(array)
    return tf.TensorSpec(tuple(array.shape), array.dtype)


def _call(model: Any, inputs: Any, training: bool) -> Any:
    accepts = any(isinstance(model, cls) for cls in layer_classes())
    if not accepts:
        try:
            accepts = "training" in inspect.signature(model).parameters
        except (TypeError, ValueError):
            accepts = False
    return model(inputs, training=training) if accepts else model(inputs)


def _tensors(result: Any) -> tuple[list[OutputPath], list[Any]]:
    """The tensors that a model returned, in order, each with its path."""
    pairs = list(_walk(result, ()))
    return [path for path, _ in pairs], [tensor for _, tensor in pairs]


def _walk(result: Any, path: OutputPath) -> Iterator[tuple[OutputPath, Any]]:
    if isinstance(result, tf.Tensor):
        yield path, result
    elif isinstance(result, Mapping):
        for key, value in result.items():
            yield from _walk(value, (*path, str(key)))
    elif isinstance(result, Sequence) and not isinstance(result, str):
        for place, value in enumerate(result):
            yield from _walk(value, (*path, place))


def _name(model: Any) -> str:
    return str(getattr(model, "name", None) or type(model).__name__)
