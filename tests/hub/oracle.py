"""What is right: keras-hub's own converters, which know the names, or else the function that is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import nn

import autoport
from autoport.errors import IncompleteMatchError
from tests.hub.pairs import TIMM, Arrays, Pair
from tests.support import import_torchvision, randomise_keras
from tests.transformers.oracle import Built, randomise, settled
from tests.verdict import Verdict, verdict

# Keras computes tables of angles in float32, which PyTorch keeps in float64 here; a wrong tensor errs by about one.
SAME = 1e-6
# What the models compute when they are made, by the ends of names.
COMPUTED_TABLES = ("inv_freq",)


@dataclass
class HubBuilt(Built):
    """A pair whose models take inputs of other names and layouts.

    Attributes:
        theirs: the inputs as PyTorch takes them.
    """

    theirs: Arrays = field(default_factory=dict)

    @property
    def tf_inputs(self) -> Any:
        """The inputs as Keras takes them: a dict, or one array."""
        return _narrow(self.arrays) if isinstance(self.arrays, dict) else self.arrays

    @property
    def torch_inputs(self) -> dict[str, torch.Tensor]:
        """The inputs as PyTorch takes them."""
        return {name: torch.from_numpy(array.copy()) for name, array in self.theirs.items()}


class Loader:
    """What the converters of keras-hub read a checkpoint with, over a state dict in memory.

    Args:
        state: tensors by path; a converter may leave out what all paths begin with, or add it.
    """

    def __init__(self, state: dict[str, np.ndarray[Any, Any]]) -> None:
        self.state = state

    def get_tensor(self, key: str) -> np.ndarray[Any, Any]:
        """A tensor by its path, or by the end of it."""
        paths = (p for p in self.state if p == key or p.endswith(f".{key}") or key.endswith(f".{p}"))
        path = min(paths, key=lambda p: (p != key, len(p)), default=None)
        if path is None:
            raise KeyError(key)
        return self.state[path]

    def port_weight(self, keras_variable: Any, hf_weight_key: str, hook_fn: Callable[..., Any] | None = None) -> None:
        """Assigns a tensor to a variable; a single number has no dimension for Keras, or one."""
        array, shape = self.get_tensor(hf_weight_key), list(keras_variable.shape)
        array = hook_fn(array, shape) if hook_fn else array
        keras_variable.assign(array.reshape(shape) if array.size == 1 else array)


def build(pair: Pair) -> HubBuilt:
    """Both models of a pair with a converter, seeded."""
    import keras

    keras.utils.set_random_seed(0)
    library = "timm" if pair in TIMM else "transformers"
    converter = import_module(f"keras_hub.src.utils.{library}.convert_{pair.converter}")
    (source, config), (target, _) = twin(pair), twin(pair)
    for module, seed in ((source, 1), (target, 2)):
        randomise(module, seed, COMPUTED_TABLES)
        _round(module)
    backbone = converter.backbone_cls(**converter.convert_backbone_config(config))
    ours, theirs = pair.inputs(np.random.default_rng(3))
    built = HubBuilt(_task(pair, backbone), source, target, ours, [], [], theirs)
    built.tf(built.tf_inputs)
    converter.convert_weights(backbone, Loader({p: t.numpy() for p, t in source.state_dict().items()}), config)
    return built


def _narrow(arrays: Arrays) -> Arrays:
    return {k: v.astype(np.int32) if v.dtype == np.int64 else v for k, v in arrays.items()}


def _round(module: nn.Module) -> None:
    """Numbers that half precision holds, to which some converters round."""
    for path, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not path.endswith(COMPUTED_TABLES):
            tensor.copy_(tensor.half())


def _task(pair: Pair, backbone: Any) -> Any:
    import keras_hub

    return getattr(keras_hub.models, pair.task)(backbone=backbone, preprocessor=None) if pair.task else backbone


def twin(pair: Pair) -> tuple[nn.Module, dict[str, Any]]:
    """The PyTorch model, and its config as the converters of keras-hub read it."""
    import_torchvision()
    if pair in TIMM:
        import timm

        module = timm.create_model(pair.torch, num_classes=0, global_pool="", **pair.config)
        return module.eval(), {"architecture": pair.torch}
    import transformers

    transformers.logging.set_verbosity_error()
    torch_class = getattr(transformers, pair.torch)
    config = torch_class.config_class(**pair.config)
    return torch_class(config, **pair.options).eval(), config.to_dict()


@dataclass
class Ported:
    """What became of a pair without a converter.

    Attributes:
        tensors: how many the PyTorch model reads.
        missing: those of them that are reported as missing, with reasons.
        whole: a strict transfer ran.
        same: both models compute the same then.
        verdict: what people are told; None where a strict transfer did not run.
    """

    tensors: int
    missing: dict[str, str]
    whole: bool
    same: bool
    verdict: Verdict | None = None


def port(pair: Pair) -> Ported:
    """Carries random Keras weights over, sets hyper-parameters alike, and compares what both compute in float64."""
    import keras
    import keras_hub

    keras.utils.set_random_seed(0)
    assert pair.build is not None
    model, module = pair.build(keras_hub.models), twin(pair)[0]
    ours, theirs = pair.inputs(np.random.default_rng(3))
    inputs = _narrow(ours) if isinstance(ours, dict) else ours
    model(inputs)
    _fill(model)
    randomise(module, 2, COMPUTED_TABLES)
    tensors = {name: torch.from_numpy(array) for name, array in theirs.items()}
    match = autoport.match(model, module, inputs=inputs, torch_inputs=tensors)
    settled(match)
    try:
        match.assign()
    except IncompleteMatchError:
        return Ported(len(match.graph_torch.read_tensors()), match.missing(), whole=False, same=False)
    match.reconcile()
    current = match.current()
    told, read = verdict(current), len(current.graph_torch.read_tensors())
    return Ported(read, current.missing(), whole=True, same=told.error < SAME, verdict=told)


def _fill(model: Any) -> None:
    """Random weights; positions are counted, as checkpoints do."""
    whole = [variable for variable in model.weights if "int" in str(variable.dtype)]
    randomise_keras(model, 1)
    for variable in whole:
        variable.assign(np.arange(np.prod(variable.shape)).reshape(variable.shape))
