"""`autoport.match`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from autoport.analysis import Hints
from autoport.api.result import Match
from autoport.base.progress import stage
from autoport.errors import InputError, ModelError, NothingInCommonError, TraceError

if TYPE_CHECKING:
    import torch

    from autoport.verify.running.readings import Readings


def match(
    tf_model: Any,
    torch_model: torch.nn.Module,
    *,
    inputs: Any = None,
    torch_inputs: Any = None,
    hints: Hints = (),
) -> Match:
    """Reads a Keras model and a PyTorch model and finds which weight belongs where.

    Args:
        tf_model: a Keras model of Keras 3 (TensorFlow backend) or tf_keras, or a callable on tensors.
        torch_model: an `nn.Module`.
        inputs: example inputs as the Keras model takes them (array, or list or dict of arrays, nested or not; tensors
            of either framework will do); derived from its input specs when left out.
        torch_inputs: the same data as the PyTorch model takes it (tensor or array, tuple of
            positional inputs, dict of keyword inputs); derived from `inputs` when left out.
        hints: pairs of a Keras path and a PyTorch path, only for what is reported as ambiguous.

    Returns:
        The match. Neither model, its mode, its dtype nor the global random state is changed.

    Raises:
        ModelError: an argument is not a model of its framework, or they are the wrong way round.
        UnbuiltModelError: the Keras model has no weights yet.
        InputError: no inputs that both models accept were found.
        TraceError: a model failed on the given inputs.
        HintError: a hint names nothing, or contradicts the graphs.
        NothingInCommonError: the models share no operation with weights.

    Example:
        >>> match = autoport.match(keras_model, module)  # doctest: +SKIP
        >>> match.assign()  # doctest: +SKIP
    """
    _check_models(tf_model, torch_model)
    try:
        readings = _read_both(tf_model, torch_model, inputs, torch_inputs)
        with stage("matching"):
            result = Match(readings, hints)
    except RecursionError as error:
        raise TraceError(
            f"a model is nested more deeply than Python's recursion limit of {sys.getrecursionlimit()} allows; "
            "sys.setrecursionlimit raises it"
        ) from error
    if not result.pairs:
        raise NothingInCommonError(
            f"the two models share no operation with weights: {len(result.unmatched_tf)} in the Keras model, "
            f"{len(result.unmatched_torch)} in the PyTorch model, none alike"
        )
    return result


def _read_both(tf_model: Any, torch_model: Any, inputs: Any, torch_inputs: Any) -> Readings:
    from autoport.keras import inputs as keras_inputs
    from autoport.keras import read as keras
    from autoport.keras.given import plain_inputs
    from autoport.pytorch import read as pytorch
    from autoport.verify.running.readings import Readings

    failure: Exception | None = None
    for example in [plain_inputs(inputs)] if inputs is not None else keras_inputs.examples(tf_model):
        try:
            with stage("reading the PyTorch model"):
                torch = pytorch.read(torch_model, keras.flat_inputs(example), torch_inputs)
            with stage("reading the Keras model"):
                return Readings(keras.read(tf_model, example), torch)
        except (TraceError, InputError) as error:
            if inputs is not None:
                raise
            failure = failure or error
    raise failure or InputError("no example inputs could be derived; pass inputs=")


def _check_models(tf_model: Any, torch_model: Any) -> None:
    from torch import nn

    from autoport.keras.inputs import is_keras_model

    if isinstance(tf_model, nn.Module) and is_keras_model(torch_model):
        raise ModelError("the models are the wrong way round: match(tf_model, torch_model)")
    if isinstance(tf_model, nn.Module):
        raise ModelError(f"the first model must be a Keras model, not the PyTorch {type(tf_model).__name__}")
    if not callable(tf_model):
        raise ModelError(f"the first model must be a Keras model, not {type(tf_model).__name__}")
    if not isinstance(torch_model, nn.Module):
        raise ModelError(f"the second model must be an nn.Module, not {type(torch_model).__name__}")
