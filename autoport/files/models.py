"""Whole models from files: `.keras`, `.h5`, SavedModels, `.pt2`; and weights of a file for a model that is there."""

from __future__ import annotations

import importlib
import json
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

from autoport.errors import FileError, LoadError
from autoport.files import hdf5, keras_zip
from autoport.files.config import code_in, repaired
from autoport.files.names import TRAINING, resolve
from autoport.files.read import open_weights
from autoport.graph import Tensor
from autoport.plan import Side

# Characters that are shown of what Keras says, which may hold the whole configuration.
LONGEST = 300
# PyTorch's own switch.
PLAIN_PICKLES = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def load_keras_file(path: Path, trust_code: bool = False) -> Any:
    """Loads a model of Keras or TensorFlow.

    Args:
        path: a `.keras` or `.h5` file, the folder of a SavedModel, or one that Keras saved without a zip archive.
        trust_code: run the code of Lambda layers and of other classes that the file names.

    Raises:
        FileError: the file is damaged, or loading it would run code.
        LoadError: no Keras that is installed can build the model.
    """
    is_keras = path.suffix == ".keras" or (path / keras_zip.CONFIG).is_file()
    if path.is_dir() and not is_keras:
        from autoport.files.saved_model import load_saved_model

        return load_saved_model(path, trust_code)
    config, version = (keras_zip if is_keras else hdf5).config_of(path)
    found = code_in(config)
    if found and not trust_code:
        raise FileError(
            f"{path}: building this model runs {' and '.join(found)}, which came with the file; "
            "--trust-code allows it, if you know where the file is from"
        )
    builders = (_by_tf_keras, _by_keras) if version.startswith(("1.", "2.")) else (_by_keras, _by_tf_keras)
    model = _first_of(builders, config, path, trust_code)
    fill_keras(model, path, trust_code)
    return model


Builder = Callable[[Any, bool], Any]


def _first_of(builders: tuple[Builder, ...], config: Any, path: Path, trust_code: bool) -> Any:
    """What the first Keras that can makes of a configuration."""
    failures = []
    for build in builders:
        try:
            return build(deepcopy(config), trust_code)
        except ImportError:
            continue
        except Exception as error:  # Keras raises nearly anything on a configuration that it does not know
            line = (str(error).splitlines() or [repr(error)])[0]
            failures.append(f"{build.__name__.removeprefix('_by_')}: {line[:LONGEST]}")
    raise LoadError(
        f"{path} holds a model that cannot be built ({'; '.join(failures)}). "
        f"If it needs classes of its own, name the code that builds it: module:callable@{path}"
    )


def _by_keras(config: Any, trust_code: bool) -> Any:
    import keras

    from autoport.loading import require_tensorflow_backend

    require_tensorflow_backend(keras)
    layers = repaired(config, lambda name: hasattr(keras.layers, name), "batch_shape")
    if "module" in layers:
        return keras.saving.deserialize_keras_object(layers, safe_mode=not trust_code)
    options = importlib.import_module("keras.src.legacy.saving.saving_options")
    utilities = importlib.import_module("keras.src.legacy.saving.saving_utils")
    library = importlib.import_module("keras.src.saving.serialization_lib")
    with options.keras_option_scope(use_legacy_config=True), library.SafeModeScope(not trust_code):
        return utilities.model_from_config(layers)


def _by_tf_keras(config: Any, trust_code: bool) -> Any:
    import tf_keras

    layers = repaired(config, lambda name: hasattr(tf_keras.layers, name), "batch_input_shape")
    if "module" in layers:
        return tf_keras.saving.deserialize_keras_object(layers, safe_mode=not trust_code)
    return tf_keras.models.model_from_json(json.dumps(layers))


def fill_keras(model: Any, path: Path, trust_code: bool = False) -> None:
    """Gives a Keras model the weights of a file, whatever its format, tensor by tensor; `Unfilled` ones have to wait.

    Args:
        model: the model.
        path: the file, of the same architecture.
        trust_code: read pickles, too.

    Raises:
        FileError: the file is damaged.
        MismatchError: it holds other weights; the model is as it was.
    """
    from autoport.keras.stored import file_names
    from autoport.keras.unfilled import unfilled

    name = "weights" if hasattr(model, "weights") else "variables"
    variables: dict[str, Any] = {}
    for variable in getattr(model, name):
        base = str(getattr(variable, "path", None) or variable.name.split(":")[0])
        path_of = base if base not in variables else f"{base}#{len(variables)}"
        variables[path_of] = variable
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
        found = resolve(Side("tf", tensors=tensors, names=names), wanted, archive)
        alike = {key for key, stored in found.items() if archive.headers[stored].dtype == tensors[key].dtype}
        waiting = {key: holder for key in alike if (holder := unfilled(variables[key])) is not None}
        for key, stored in found.items():
            if key in waiting:
                waiting[key].waiting = partial(archive.read, stored)
            else:
                variables[key].assign(archive.read(stored))
        if waiting:
            weakref.finalize(model, stack.pop_all().close)
    for layer in model._flatten_layers() if hasattr(model, "_flatten_layers") else ():
        if layer.weights and hasattr(layer, "finalize_state"):  # Normalization computes with copies of its weights
            layer.finalize_state()


def fill_torch(model: Any, path: Path, trust_code: bool = False) -> None:
    """Gives a PyTorch model the weights of a file; one on the meta device gets memory for them.

    Args:
        model: the module.
        path: the file, of the same architecture.
        trust_code: read pickles that may run code, too.

    Raises:
        FileError: the file is damaged.
        MismatchError: it holds other weights; the model is as it was.
    """
    import torch

    state = model.state_dict()
    tensors = {key: Tensor(key, tuple(t.shape), str(t.dtype).removeprefix("torch.")) for key, t in state.items()}
    side = Side("torch", tensors=tensors, names={key: {"state_dict": key} for key in state})
    wanted = [key for key in state if not TRAINING.search(key)]
    with open_weights(path, trust_code=trust_code) as archive:
        for key, stored in resolve(side, wanted, archive).items():
            values = torch.from_numpy(archive.read(stored)).to(state[key].dtype)
            model.load_state_dict({key: values}, strict=False, assign=state[key].is_meta)


@contextmanager
def _plain_pickles() -> Iterator[None]:
    """Lets PyTorch unpickle nothing but tensors, whoever asks for more."""
    before = os.environ.get(PLAIN_PICKLES)
    os.environ[PLAIN_PICKLES] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[PLAIN_PICKLES]
        else:
            os.environ[PLAIN_PICKLES] = before


def load_exported(path: Path, trust_code: bool = False) -> Any:
    """Loads a model that `torch.export.save` wrote.

    Args:
        path: a `.pt2` file.
        trust_code: read what is pickled in it, which may run any code.

    Raises:
        FileError: the file is damaged, or reading it would run code.
    """
    import torch

    try:
        with nullcontext() if trust_code else _plain_pickles():
            module = torch.export.load(path).module()
    except Exception as error:  # reading a damaged archive may raise anything
        refused = "Weights only load failed" in str(error)
        advice = "; --trust-code reads it all the same, which may run any code that is in it" if refused else ""
        raise FileError(f"{path} is no exported program of PyTorch, or damaged: {error}{advice}") from error
    for name in ("train", "eval"):  # which such a module refuses; it is in the mode that it was exported in
        vars(module).pop(name, None)
    module.training = False
    return module
