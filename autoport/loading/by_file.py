"""Whole models from files: `.keras`, `.h5`, SavedModels."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from autoport.errors import LoadError, UntrustedError
from autoport.files import hdf5, keras_zip
from autoport.loading.config import forget_training, repair
from autoport.loading.fill import fill_keras
from autoport.loading.known.configuration import Act, Finding, find_unknown

# Characters of an error of Keras that a message quotes; it may hold the whole configuration.
LONGEST_QUOTE = 300
# Findings that a message has room for, and characters of each.
MOST_FOUND, LONGEST_FOUND = 4, 120
PHRASES = {
    Act.CODE: "runs {}",
    Act.CLASS: "needs the class {}",
    Act.FUNCTION: "calls the function {}",
    Act.FILE: "may read or write what {!r} names",
}


def load_keras_file(path: Path, trust_code: bool = False) -> Any:
    """Loads a model of Keras or TensorFlow.

    Args:
        path: a `.keras` or `.h5` file, the folder of a SavedModel, or one that Keras saved without a zip archive.
        trust_code: run the code of Lambda layers, and build with whatever else the file names.

    Raises:
        FileError: the file is damaged.
        UntrustedError: it names what is not known to compute only; no framework has seen it.
        LoadError: no installed version of Keras can build the model.
    """
    is_keras = path.suffix == ".keras" or (path / keras_zip.CONFIG).is_file()
    if path.is_dir() and not is_keras:
        from autoport.loading.saved_model import load_saved_model

        return load_saved_model(path, trust_code)
    config, version = (keras_zip if is_keras else hdf5).config_of(path)
    forget_training(config)
    if not trust_code:
        _require_known(config, path)
    builders = (_by_tf_keras, _by_keras) if version.startswith(("1.", "2.")) else (_by_keras, _by_tf_keras)
    model = _build(builders, config, path, trust_code)
    fill_keras(model, path, trust_code)
    return model


def _require_known(config: Any, path: Path) -> None:
    """Raises unless building a model does nothing but compute."""
    found = find_unknown(config)
    if not found:
        return
    said = list(dict.fromkeys(map(_said, found)))
    named = said[:MOST_FOUND] + ([f"{len(said) - MOST_FOUND} more"] if len(said) > MOST_FOUND else [])
    has_class = any(finding.act is Act.CLASS for finding in found)
    advice = f" (for classes of your own, name the code that builds it: module:callable@{path})" if has_class else ""
    raise UntrustedError(
        f"{path}: building this model {' and '.join(named)}, of which autoport does not know that it computes "
        f"only{advice}",
        "allows it, if you know where the file is from",
    )


def _said(finding: Finding) -> str:
    place = f" (layer {finding.layer[:LONGEST_FOUND]!r})" if finding.layer else ""
    return PHRASES[finding.act].format(finding.thing[:LONGEST_FOUND]) + place


Build = Callable[[Any, bool], Any]


def _build(builders: tuple[Build, ...], config: Any, path: Path, trust_code: bool) -> Any:
    """Builds a model with the first installed Keras that can."""
    failures = []
    for build in builders:
        try:
            return build(deepcopy(config), trust_code)
        except ImportError:
            continue
        except Exception as error:  # Keras raises nearly anything on a configuration that it does not know
            line = (str(error).splitlines() or [repr(error)])[0]
            failures.append(f"{build.__name__.removeprefix('_by_')}: {line[:LONGEST_QUOTE]}")
    raise LoadError(
        f"{path} holds a model that cannot be built ({'; '.join(failures)}). "
        f"If it needs classes of its own, name the code that builds it: module:callable@{path}"
    )


def _by_keras(config: Any, trust_code: bool) -> Any:
    import keras

    from autoport.internals.keras import model_of_keras_2
    from autoport.keras.backend import require_tensorflow_backend

    require_tensorflow_backend(keras)
    layers = repair(config, lambda name: hasattr(keras.layers, name), "batch_shape")
    if "module" in layers:
        return keras.saving.deserialize_keras_object(layers, safe_mode=not trust_code)
    return model_of_keras_2(layers, safe_mode=not trust_code)


def _by_tf_keras(config: Any, trust_code: bool) -> Any:
    import tf_keras

    layers = repair(config, lambda name: hasattr(tf_keras.layers, name), "batch_input_shape")
    if "module" in layers:
        return tf_keras.saving.deserialize_keras_object(layers, safe_mode=not trust_code)
    return tf_keras.models.model_from_json(json.dumps(layers))
