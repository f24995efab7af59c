"""The names of a model's variables in files, for every layout that TensorFlow and Keras write."""

from __future__ import annotations

import logging
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from autoport.base.exclusive import exclusive
from autoport.facts.framework import Framework
from autoport.files.checkpoint import OBJECT
from autoport.files.hdf5 import KERAS, LEGACY, VARIABLE, legacy_name, variable_name
from autoport.files.stored_model import StoredModel
from autoport.graph import Graph, Tensor
from autoport.internals.keras import inner_variables, resource_variable, save_weights, weights_store
from autoport.keras.inputs import is_keras_model

logger = logging.getLogger(__name__)
NamedVariables = Iterator[tuple[Any, str]]


def file_names(model: Any, variables: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Names of variables in files.

    Args:
        model: whose variables they are.
        variables: by path; further states that files hold (of random generators) are added.

    Returns:
        By path, the name in each layout that has one.
    """
    paths = {key: path for path, variable in variables.items() for key in _identities(variable)}
    names: dict[str, dict[str, str]] = defaultdict(dict)
    for layout, list_names in _LAYOUTS.items():
        for variable, name in _names_in(layout, list_names, model):
            path = next((paths[key] for key in _identities(variable) if key in paths), None)
            if path is None and layout == KERAS and hasattr(variable, "assign"):
                path = paths[id(variable)] = name
                variables[name] = variable
            if path is not None:
                names[path].setdefault(layout, name)
    return dict(names)


def _identities(variable: Any) -> list[int]:
    """The `id` of a variable, and of the TensorFlow variable inside of it: files may refer to either."""
    return [id(variable), *map(id, inner_variables(variable))]


def _names_in(layout: str, list_names: Callable[[Any], NamedVariables], model: Any) -> list[tuple[Any, str]]:
    try:
        return list(list_names(model))
    except Exception as error:  # a user's layer may refuse to be saved; other layouts still have names
        logger.info("no names of the layout %s: %s", layout, error)
        return []


@exclusive
def _in_keras_files(model: Any) -> NamedVariables:
    """Lets Keras save the model into a store that records names."""
    if not is_keras_model(model):
        return iter(())
    modern = isinstance(model, sys.modules["keras"].layers.Layer) if "keras" in sys.modules else False
    package = "keras" if modern else "tf_keras"
    store = _recording_store(weights_store(package))
    with _variables_for_values():
        save_weights(package, model, store)
    return iter([(value, name) for value, name in store.entries if not name.startswith("optimizer/")])


@contextmanager
def _variables_for_values() -> Iterator[None]:
    """Keras 2 stores what `variable.numpy()` returns; while this lasts, that is the variable itself."""
    variables = resource_variable()
    original = variables.numpy
    variables.numpy = lambda variable: variable
    try:
        yield
    finally:
        variables.numpy = original


def _recording_store(store: Any) -> Any:
    """A store of Keras that writes no file: it records every value with the name that it would have."""

    class RecordingStore(store):
        def __init__(self) -> None:
            self.entries: list[tuple[Any, str]] = []
            self.place = ""

        def __bool__(self) -> bool:
            return True

        def make(self, path: str, metadata: Mapping[str, Any] | None = None) -> Any:
            self.place = f"{path}/vars".lstrip("/")
            return self

        def __setitem__(self, key: str, value: Any) -> None:
            self.entries.append((value, f"{self.place}/{key}"))

        def __del__(self) -> None:
            """There is no file to close."""

    return RecordingStore()


def _in_legacy_files(model: Any) -> NamedVariables:
    """Names by layer of the model and place in it, trainable variables first."""
    layers = getattr(model, "layers", ()) if is_keras_model(model) else ()
    for layer in layers:
        for place, variable in enumerate([*layer.trainable_weights, *layer.non_trainable_weights]):
            yield variable, legacy_name(layer.name, place, _name(variable))
    if is_keras_model(model):
        inside = {id(v) for layer in layers for v in layer.weights}
        top = [v for v in [*model.trainable_weights, *model.non_trainable_weights] if id(v) not in inside]
        for place, variable in enumerate(top):
            yield variable, legacy_name("top_level_model_weights", place, _name(variable))


def _in_checkpoints(model: Any) -> NamedVariables:
    """Names from the variables' own names, where these are unique."""
    variables = list(getattr(model, "weights" if is_keras_model(model) else "variables", ()))
    names = [variable_name(_name(variable)) for variable in variables]
    counts = Counter(names)
    return ((variable, name) for variable, name in zip(variables, names, strict=True) if counts[name] == 1)


def _by_attributes(model: Any) -> NamedVariables:
    """Names from the attributes that lead from a module to the variable."""
    root = getattr(model, "loaded", model)
    if is_keras_model(root):
        return
    places, waiting = {id(root): ""}, deque([root])
    while waiting:
        owner = waiting.popleft()
        if isinstance(owner, tf.Variable):
            yield owner, places[id(owner)]
        for name, child in tf.train.TrackableView.children(owner).items():
            if id(child) not in places:
                places[id(child)] = f"{places[id(owner)]}/{_escaped(name)}".lstrip("/")
                waiting.append(child)


def _escaped(name: str) -> str:
    """An attribute as checkpoints spell it, where `/` lies between attributes."""
    return name.replace(".", "..").replace("/", ".S")


def _name(variable: Any) -> str:
    return str(getattr(variable, "path", None) or variable.name)


_LAYOUTS: dict[str, Callable[[Any], NamedVariables]] = {
    KERAS: _in_keras_files,
    LEGACY: _in_legacy_files,
    VARIABLE: _in_checkpoints,
    OBJECT: _by_attributes,
}


def stored_model(name: str, graph: Graph, model: Any, variables: dict[str, Any]) -> StoredModel:
    """The Keras or TensorFlow model as files know it.

    Args:
        name: shown to people.
        graph: the model as it was read.
        model: the model.
        variables: its variables by path; what only files hold is added.
    """
    names = file_names(model, variables)
    added = {path: variable_tensor(path, variable) for path, variable in variables.items() if path not in graph.tensors}
    return StoredModel(Framework.TF, name, {**graph.tensors, **added}, names, dict(graph.aliases))


def variable_tensor(path: str, variable: Any) -> Tensor:
    """A variable of TensorFlow or Keras as a plan knows it."""
    dtype = getattr(variable.dtype, "name", variable.dtype)
    return Tensor(path, tuple(int(size) for size in variable.shape), str(dtype), trainable=False)
