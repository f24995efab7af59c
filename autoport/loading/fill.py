"""Loads the weights of a file into a model."""

from __future__ import annotations

import weakref
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from autoport.facts.framework import Framework
from autoport.files.names import TRAINING, resolve
from autoport.files.read import open_weights
from autoport.files.stored_model import StoredModel
from autoport.graph import Tensor


def fill_keras(model: Any, path: Path, trust_code: bool = False) -> None:
    """Loads the weights of a file of any format into a Keras model, tensor by tensor.

    `Unfilled` variables read their values later, when something needs them.

    Args:
        model: the model.
        path: the file, of the same architecture.
        trust_code: also read pickles that may run code.

    Raises:
        FileError: the file is damaged.
        MismatchError: it holds other weights; the model is as it was.
    """
    from autoport.internals.keras import nested_layers
    from autoport.keras.stored import file_names
    from autoport.keras.unfilled import unfilled_variable

    attribute = "weights" if hasattr(model, "weights") else "variables"
    variables: dict[str, Any] = {}
    for variable in getattr(model, attribute):
        base = str(getattr(variable, "path", None) or variable.name.split(":")[0])
        unique = base if base not in variables else f"{base}#{len(variables)}"
        variables[unique] = variable
    wanted = list(variables)
    names = file_names(model, variables)
    tensors = {
        key: Tensor(
            key, tuple(int(size) for size in variable.shape), str(getattr(variable.dtype, "name", variable.dtype))
        )
        for key, variable in variables.items()
    }
    with ExitStack() as stack:
        archive = stack.enter_context(open_weights(path, trust_code=trust_code))
        file_keys = resolve(StoredModel(Framework.TF, tensors=tensors, names=names), wanted, archive)
        alike = {key for key, file_key in file_keys.items() if archive.headers[file_key].dtype == tensors[key].dtype}
        waiting = {key: holder for key in alike if (holder := unfilled_variable(variables[key])) is not None}
        for key, file_key in file_keys.items():
            if key in waiting:
                waiting[key].waiting = partial(archive.read, file_key)
            else:
                variables[key].assign(archive.read(file_key))
        if waiting:
            weakref.finalize(model, stack.pop_all().close)
    for layer in nested_layers(model):
        if layer.weights and hasattr(layer, "finalize_state"):  # Normalization computes with copies of its weights
            layer.finalize_state()


def fill_torch(model: Any, path: Path, trust_code: bool = False) -> None:
    """Loads the weights of a file into a PyTorch model; one on the meta device gets memory for them.

    Args:
        model: the module.
        path: the file, of the same architecture.
        trust_code: also read pickles that may run code.

    Raises:
        FileError: the file is damaged.
        MismatchError: it holds other weights; the model is as it was.
    """
    import torch

    state = model.state_dict()
    tensors = {key: Tensor(key, tuple(t.shape), str(t.dtype).removeprefix("torch.")) for key, t in state.items()}
    side = StoredModel(Framework.TORCH, tensors=tensors, names={key: {"state_dict": key} for key in state})
    wanted = [key for key in state if not TRAINING.search(key)]
    with open_weights(path, trust_code=trust_code) as archive:
        for key, file_key in resolve(side, wanted, archive).items():
            values = torch.from_numpy(archive.read(file_key)).to(state[key].dtype)
            model.load_state_dict({key: values}, strict=False, assign=state[key].is_meta)
