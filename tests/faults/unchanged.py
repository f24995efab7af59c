"""One check that nothing of the user's was changed: both models, their hooks, and all state that is global."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import torch
from torch import nn
from torch.nn.modules import module as registry

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks")


def snapshot(model: Any, module: nn.Module) -> dict[str, Any]:
    """All that must stay as it is."""
    return {**_keras(model), **_torch(module), **_globals()}


def _keras(model: Any) -> dict[str, Any]:
    return {
        "weights": [np.array(variable.value) for variable in model.weights],
        "trainable": [variable.trainable for variable in model.weights],
        "layers": [sorted(vars(layer)) for layer in model.layers],
        "calls": [type(layer).__call__ for layer in model.layers],
        "own calls": [vars(layer).get("call") for layer in model.layers],
    }


def _torch(module: nn.Module) -> dict[str, Any]:
    modules = list(module.modules())
    return {
        "tensors": {path: _bits(value) for path, value in module.state_dict().items()},
        "identities": [id(tensor) for tensor in (*module.parameters(), *module.buffers())],
        "gradients": [(p.requires_grad, p.grad is None) for p in module.parameters()],
        "modes": [one.training for one in modules],
        "hooks": [[list(getattr(one, name).values()) for name in HOOKS] for one in modules],
        "attributes": [sorted(vars(one)) for one in modules],
        "forward": [vars(one).get("forward") for one in modules],
    }


def _bits(tensor: Any) -> Any:
    """Type, shape and bytes of a tensor; modules that are quantised keep other things in their state, too."""
    if not isinstance(tensor, torch.Tensor):
        return str(tensor)
    if tensor.is_meta:
        return "meta"
    plain = tensor.detach().dequantize() if tensor.is_quantized else tensor.detach()
    return (
        str(tensor.dtype),
        tuple(tensor.shape),
        plain.contiguous().clone().reshape(-1).view(torch.uint8).cpu().numpy(),
    )


def _globals() -> dict[str, Any]:
    return {
        "torch generator": torch.get_rng_state().numpy(),
        "numpy generator": np.random.get_state()[1:3],
        "python generator": random.getstate(),
        "tensorflow generator": tf.random.get_global_generator().state.numpy(),
        "gpu generators": [state.numpy() for state in torch.cuda.get_rng_state_all()],
        "gradients on": torch.is_grad_enabled(),
        "default type": torch.get_default_dtype(),
        "function modes": torch.overrides._get_current_function_mode_stack(),
        "module call": nn.Module.__call__,
        "module hooks": [list(getattr(registry, name).values()) for name in GLOBAL_HOOKS],
        "layer call": keras.layers.Layer.__call__,
        "eager": tf.executing_eagerly(),
        "floats": (keras.config.floatx(), keras.config.dtype_policy().name),
    }


@contextmanager
def unchanged(model: Any, module: nn.Module) -> Iterator[None]:
    """Fails if something is different afterwards, also after an exception."""
    before = snapshot(model, module)
    try:
        yield
    finally:
        after = snapshot(model, module)
        for name, value in before.items():
            np.testing.assert_equal(after[name], value, err_msg=name)
