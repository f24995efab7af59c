"""What a plan has to know of both models so that it can be carried out without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autoport.files.side import Side
from autoport.graph import Graph, Tensor
from autoport.weights.algebra import Array, all_finite

if TYPE_CHECKING:
    from autoport.graph.store import Store

# Elements of the largest tensor that a plan keeps itself.
LARGEST_KEPT = 4096


def torch_side(graph: Graph, module: Any) -> Side:
    """The PyTorch model: its files hold what its state dict holds.

    Args:
        graph: the model as it was read.
        module: the model.
    """
    stored = module.state_dict().keys()
    names = {path: {"state_dict": path} for path in graph.tensors if path in stored}
    aliases = {alias: path for alias, path in graph.aliases.items() if alias in stored}
    return Side("torch", type(module).__name__, dict(graph.tensors), names, aliases)


def tf_side(graph: Graph, model: Any, variables: dict[str, Any]) -> Side:
    """The Keras or TensorFlow model.

    Args:
        graph: the model as it was read.
        model: the model.
        variables: its variables by path; what only files hold is added.
    """
    from autoport.keras.stored import file_names

    names = file_names(model, variables)
    added = {path: variable_tensor(path, variable) for path, variable in variables.items() if path not in graph.tensors}
    label = str(getattr(model, "name", None) or getattr(model, "__name__", type(model).__name__))
    return Side("tf", label, {**graph.tensors, **added}, names, dict(graph.aliases))


def variable_tensor(path: str, variable: Any) -> Tensor:
    """A variable of TensorFlow or Keras as a plan knows it."""
    dtype = getattr(variable.dtype, "name", variable.dtype)
    return Tensor(path, tuple(int(size) for size in variable.shape), str(dtype), trainable=False)


def held(side: Side, written: Mapping[str, Any], store: Store) -> dict[str, Array]:
    """What files of the target hold and no entry writes, as it is in the model now.

    Args:
        side: the target.
        written: the entries of the plan.
        store: the model's tensors; those on the meta device have no values and are left out.
    """
    return {path: store.read(path) for path in side.names if path not in written and store.holds(path)}


def small(values: Mapping[str, Array]) -> dict[str, Array]:
    """Those that a plan keeps itself: counters, tables of positions, states of random generators."""
    return {path: array for path, array in values.items() if array.size <= LARGEST_KEPT and all_finite(array)}
