"""SavedModels, which hold their computation as TensorFlow operations, so that no source code is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from autoport.errors import FileError, LoadError, UntrustedError
from autoport.internals.keras import argument_name, forget_shapes, inlined_graph, saved_model_document
from autoport.loading.known.operations import unknown_operations

# Findings that a message has room for.
MOST_FOUND = 4
PREFERRED = ("serving_default", "serve")


class SavedModel:
    """A SavedModel as a callable on tensors.

    Attributes:
        name: of its folder.
        inputs: its arguments, as `tf.TensorSpec`s.
        variables: those that it reads.
        loaded: the object that TensorFlow loaded.
    """

    def __init__(self, path: Path, loaded: Any, function: Any) -> None:
        self.name, self.loaded, self._function = path.name, loaded, function
        specs = _specs(function)
        self._names = list(specs)
        self.inputs: Any = list(specs.values())
        self.variables = list(function.variables)

    def __call__(self, inputs: Any) -> Any:
        """Runs it on a tensor, or on a list of tensors in the order of `inputs`."""
        arguments = dict(zip(self._names, tf.nest.flatten(inputs), strict=True))
        return self._function(**arguments) if tf.executing_eagerly() else self._import_inlined(arguments)

    def _import_inlined(self, arguments: dict[str, Any]) -> Any:
        """Imports its operations into the graph that is being traced, inlines called functions, infers shapes anew."""
        flat = inlined_graph(self._function)
        graph = tf.compat.v1.get_default_graph()
        captured = {inner.name: graph.capture(outer) for outer, inner in self._function.graph.captures}
        feeds = [tensor for tensor in self._function.inputs if tensor.name not in captured]
        named = {argument_name(tensor): tensor.name for tensor in feeds}
        from_arguments = {named[name]: tensor for name, tensor in arguments.items()}
        mapped = {**captured, **from_arguments}
        body = tf.compat.v1.GraphDef(versions=flat.versions, library=flat.library)
        body.node.extend(node for node in flat.node if f"{node.name}:0" not in mapped)
        for node in body.node:
            forget_shapes(node)
        used = {name if ":" in name else f"{name}:0" for node in body.node for name in node.input}
        names = [tensor.name for tensor in self._function.outputs]
        return tf.graph_util.import_graph_def(
            body, {name: tensor for name, tensor in mapped.items() if name in used}, return_elements=names, name=""
        )


def load_saved_model(path: Path, trust_code: bool = False) -> SavedModel:
    """Loads a SavedModel.

    Args:
        path: the folder.
        trust_code: load it even if it has operations that are not known to compute only.

    Raises:
        FileError: it is damaged.
        UntrustedError: it has operations that are not known to compute only.
        LoadError: it has no function that could be read.
    """
    if not (path / "saved_model.pb").is_file():
        raise LoadError(f"{path} is a folder without saved_model.pb: a SavedModel is expected")
    try:
        document = saved_model_document((path / "saved_model.pb").read_bytes())
    except Exception as error:  # protobuf has several implementations, each with its own errors
        raise FileError(f"{path}/saved_model.pb is damaged: {error}") from error
    if not trust_code:
        _require_known(document, path)
    try:
        loaded = tf.saved_model.load(str(path))
        function = next(_functions(loaded), None)
        model = None if function is None else SavedModel(path, loaded, function)
    except Exception as error:  # TensorFlow has an exception for every way a file can be damaged
        raise FileError(f"{path} cannot be loaded: {error}") from error
    if model is None:
        raise LoadError(
            f"{path} has neither a signature nor a function that was called with tensors before it was saved"
        )
    return model


def _require_known(document: Any, path: Path) -> None:
    """Raises unless a SavedModel does nothing but compute."""
    found = [f"{kind} (node {node!r})" for kind, node in unknown_operations(document).items()]
    if found:
        more = [f"{len(found) - MOST_FOUND} more"] if len(found) > MOST_FOUND else []
        raise UntrustedError(
            f"{path} runs {' and '.join(found[:MOST_FOUND] + more)}, of which autoport does not know that it computes "
            "only: it may read or write files or run code",
            "allows it, if you know where the file is from",
        )


def _functions(loaded: Any) -> Iterator[Any]:
    """Callables, the likeliest first: signatures, then the module itself, then its functions."""
    signatures = getattr(loaded, "signatures", {})
    for name in sorted(signatures, key=lambda name: name not in PREFERRED):
        yield signatures[name]
    named = [getattr(loaded, name, None) for name in ("__call__", *sorted(vars(loaded)))]
    for function in named:
        yield from sorted(getattr(function, "concrete_functions", ()), key=_trains)


def _trains(function: Any) -> bool:
    """Whether a function was traced with an argument that is True, most likely `training`."""
    return any(leaf is True for leaf in tf.nest.flatten(function.structured_input_signature))


def _specs(function: Any) -> dict[str, Any]:
    """The specs of a function's tensors, by the names of its arguments."""
    leaves = tf.nest.flatten(function.structured_input_signature)
    return {spec.name: spec for spec in leaves if isinstance(spec, tf.TensorSpec)}
