"""Models by name, as the command line takes them.

    package.module:callable              path/to/file.py:callable
    keras.applications:VGG16(weights=None)
    model.keras                          model.h5
    a folder with a SavedModel           exported.pt2
    package.module:callable@weights.h5   the same model with weights of a file

The part behind the colon is parsed as Python, but never evaluated: a path of attributes, and literal arguments if it
is a call.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from autoport.errors import LoadError
from autoport.keras.backend import require_tensorflow_backend
from autoport.loading.name import EXAMPLE, Name, parse_name

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
STATE_SUFFIXES = (".pt", ".pth", ".safetensors", ".bin", ".ckpt", ".index", ".weights.h5", ".weights.json")


def load_keras(text: str, trust_code: bool = False, *, in_place: bool = False) -> Any:
    """Loads the Keras or TensorFlow model that SOURCE names.

    Args:
        text: a name, the path of a `.keras` or `.h5` file, or of the folder of a SavedModel.
        trust_code: also load files that run code when they are loaded.
        in_place: leave weights in their file until something runs the model; see `keras.unfilled`.

    Raises:
        LoadError: there is no such model, or it is not a Keras model.
        FileError: a file is damaged, or loading it would run code.

    Example:
        >>> load_keras("keras.applications:VGG16(weights=None)")  # doctest: +SKIP
    """
    name, weights = split_weights(text)
    if weights is None:
        _refuse_state_file(text, "SOURCE", "the Keras model, as a .keras or .h5 file or as")
    load = partial(_load_keras, name, weights, trust_code)
    is_file = name.endswith(KERAS_SUFFIXES) or Path(name, "config.json").is_file()
    if not in_place or (weights is None and not is_file):
        return load()
    from autoport.keras.unfilled import without_values

    return without_values(load)


def _load_keras(text: str, weights: Path | None, trust_code: bool) -> Any:
    from autoport.loading.by_file import load_keras_file
    from autoport.loading.fill import fill_keras

    if text.endswith(KERAS_SUFFIXES) or Path(text).is_dir():
        model = load_keras_file(_existing(Path(text)), trust_code)
    else:
        model = _load(text, "SOURCE", "Keras", _is_keras, "PyTorch", _is_torch)
    if "keras" in sys.modules:
        require_tensorflow_backend(sys.modules["keras"])
    if weights is not None:
        fill_keras(model, weights, trust_code)
    return model


def load_torch(text: str, trust_code: bool = False) -> Any:
    """Loads the PyTorch model that TARGET names.

    Args:
        text: a name, or the path of a `.pt2` file.
        trust_code: also load pickles that may run code.

    Raises:
        LoadError: there is no such model, or it is not a PyTorch model.
        FileError: a file is damaged, or loading it would run code.

    Example:
        >>> load_torch("torchvision.models:vgg16")  # doctest: +SKIP
    """
    from autoport.files.exported import load_exported
    from autoport.loading.fill import fill_torch

    text, weights = split_weights(text)
    if weights is None:
        _refuse_state_file(text, "TARGET", "the PyTorch model as")
    if text.endswith(KERAS_SUFFIXES):
        raise LoadError(f"TARGET {text} is a Keras file; TARGET is the PyTorch model: name the code that builds it")
    if text.endswith(".pt2"):
        model = load_exported(_existing(Path(text)), trust_code)
    else:
        model = _load(text, "TARGET", "PyTorch", _is_torch, "Keras", _is_keras)
    if weights is not None:
        fill_torch(model, weights, trust_code)
    return model


def split_weights(text: str) -> tuple[str, Path | None]:
    """Splits the file of weights off a name.

    Args:
        text: a model's name, or `NAME@FILE`.

    Returns:
        The name of the model, and the file if there is one.

    Example:
        >>> split_weights("models.py:build@trained.weights.h5")
        ('models.py:build', PosixPath('trained.weights.h5'))
    """
    from autoport.files.read import weights_file

    name, sign, file = text.rpartition("@")
    if not sign or weights_file(Path(file)) is None:
        return text, None
    return name, Path(file)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise LoadError(f"{path} does not exist{_near_file(path)}")
    return path


def _refuse_state_file(text: str, role: str, instead: str) -> None:
    if text.endswith(STATE_SUFFIXES):
        raise LoadError(
            f"{role} {text} holds weights only (a state dict), and weights have no graph: "
            f"name {instead} a callable that builds it, {EXAMPLE}, and write it as NAME@{text}"
        )


def _is_torch(thing: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, torch.nn.Module)


def _is_keras(thing: Any) -> bool:
    if not {"keras", "tf_keras"} & sys.modules.keys():
        return False
    from autoport.keras.inputs import is_keras_model

    return is_keras_model(thing)


Check = Callable[[Any], bool]


def _load(text: str, role: str, wanted: str, check: Check, other: str, is_other: Check) -> Any:
    name = parse_name(text)
    thing = _look_up(_import(name.where, role), name, role)
    is_model = check(thing) or is_other(thing)
    if is_model and name.args is not None:
        raise LoadError(f"{role} {text}: {'.'.join(name.attributes)} is a model already; leave the arguments out")
    model = thing if is_model else _call(thing, name, role)
    if is_other(model):
        raise LoadError(
            f"{role} {text} gives the {other} model {type(model).__name__}, but {role} is the {wanted} model: "
            "SOURCE is always the Keras model and TARGET the PyTorch model"
        )
    if not check(model):
        raise LoadError(f"{role} {text} gives an object of type {type(model).__name__}, not a {wanted} model")
    return model


def _call(thing: Any, name: Name, role: str) -> Any:
    label = ".".join(name.attributes)
    if not callable(thing):
        raise LoadError(f"{role} {name.text}: {label} is a {type(thing).__name__}, neither a model nor callable")
    try:
        return thing(*(name.args or ()), **name.kwargs)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise LoadError(f"{role} {name.text}: calling {label} raised {_describe(error)}") from error


def _look_up(module: ModuleType, name: Name, role: str) -> Any:
    thing: Any = module
    for depth, attribute in enumerate(name.attributes):
        try:
            thing = getattr(thing, attribute)
        except AttributeError as error:
            place = ".".join((name.where, *name.attributes[:depth]))
            near = _near(attribute, dir(thing))
            raise LoadError(f"{role} {name.text}: {place} has no {attribute!r}{near}") from error
    return thing


def _import(where: str, role: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    is_file = where.endswith(".py")
    try:
        return _import_file(Path(where), role) if is_file else importlib.import_module(where)
    except LoadError:
        raise
    except ModuleNotFoundError as error:
        if not is_file and error.name and (where == error.name or where.startswith(f"{error.name}.")):
            raise LoadError(f"{role}: there is no module {error.name!r}{_near_module(error.name)}") from error
        raise LoadError(f"{role}: importing {where} needs {error.name!r}, which is not installed") from error
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise LoadError(f"{role}: importing {where} raised {_describe(error)}") from error


def _import_file(path: Path, role: str) -> ModuleType:
    if not path.is_file():
        raise LoadError(f"{role}: there is no file {path}{_near_file(path)}")
    path = path.resolve()
    name = path.stem
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    while name in sys.modules:
        # Both models may live in one file, and files in two folders may have one name.
        if getattr(sys.modules[name], "__file__", None) == str(path):
            return sys.modules[name]
        name += "_"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"{role}: {path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _describe(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" (at {frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def _near(name: str, names: Iterable[str]) -> str:
    matches = difflib.get_close_matches(name, [other for other in names if not other.startswith("_")])
    return f"; did you mean {' or '.join(matches)}?" if matches else ""


def _near_module(name: str) -> str:
    parent, _, last = name.rpartition(".")
    paths = getattr(sys.modules.get(parent), "__path__", None)
    if parent and paths is None:
        return ""
    return _near(last, [module.name for module in pkgutil.iter_modules(paths)])


def _near_file(path: Path) -> str:
    siblings = [other.name for other in path.parent.glob("*")] if path.parent.is_dir() else []
    return _near(path.name, siblings)
