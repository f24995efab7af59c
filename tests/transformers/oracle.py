"""What is right: a PyTorch model's tensors, through its TensorFlow twin, into a second PyTorch model, bit by bit.

The way into TensorFlow is transformers' own converter, which knows the names; the way back is autoport.
"""

from __future__ import annotations

import copy
import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np
import torch
from torch import nn

import autoport
from tests.support import import_torchvision, randomise_torch
from tests.transformers.pairs import Arrays, Pair

CLOSE = 1e-3
COUNTER = "num_batches_tracked"


@dataclass
class Built:
    """Both models of a pair, and what the converter said.

    Attributes:
        tf: the TensorFlow model with the weights of `source`.
        source: the PyTorch model that the weights came from.
        target: a PyTorch model of the same config with other weights.
        arrays: inputs of both.
        not_in_torch: TensorFlow weights that the converter found no source for.
        not_in_tf: tensors of `source` that the converter did not use.
    """

    tf: Any
    source: nn.Module
    target: nn.Module
    arrays: Arrays
    not_in_torch: list[str]
    not_in_tf: list[str]

    @property
    def tf_inputs(self) -> Arrays:
        """The inputs as TensorFlow takes them."""
        return {k: v.astype(np.int32) if v.dtype == np.int64 else v for k, v in self.arrays.items()}

    @property
    def torch_inputs(self) -> dict[str, torch.Tensor]:
        """The inputs as PyTorch takes them."""
        return {name: torch.from_numpy(array.copy()) for name, array in self.arrays.items()}


@dataclass
class Outcome:
    """What became of the tensors of the PyTorch state dict; a tied tensor counts once.

    Attributes:
        right: equal to the source, bit by bit.
        wrong: written or claimed, and not equal to the source.
        unmatched: read by the forward pass and reported as missing.
        unused: not read by the forward pass.
        lost: TensorFlow weights that autoport reports without a place, with reasons.
        missing: `unmatched` with reasons.
        complete: a strict transfer would have run.
        tied: groups of paths that share a tensor.
        apart: largest relative difference between the outputs of the TensorFlow model and of the source.
        seconds: time of `autoport.match`.
        match: the match.
    """

    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    complete: bool = False
    tied: list[list[str]] = field(default_factory=list)
    apart: float = float("nan")
    seconds: float = 0.0
    match: Any = None


def build(pair: Pair) -> Built:
    """Both models of a pair, seeded."""
    import_torchvision()
    import tensorflow as tf
    import transformers
    from transformers.modeling_tf_pytorch_utils import load_pytorch_state_dict_in_tf2_model

    transformers.logging.set_verbosity_error()
    tf.random.set_seed(0)
    torch.manual_seed(0)
    torch_class, tf_class = getattr(transformers, pair.torch), getattr(transformers, pair.tf)
    source, target = (torch_class(config_of(torch_class, pair)).eval() for _ in range(2))
    for module, seed in ((source, 1), (target, 2)):
        randomise(module, seed, pair.computed)
    model = tf_class(config_of(torch_class, pair))
    built = Built(model, source, target, pair.inputs(np.random.default_rng(3)), [], [])
    _, said = load_pytorch_state_dict_in_tf2_model(
        model,
        {path: tensor.numpy() for path, tensor in source.state_dict().items()},
        tf_inputs=built.tf_inputs,
        allow_missing_keys=True,
        output_loading_info=True,
        tf_to_pt_weight_rename=getattr(model, "tf_to_pt_weight_rename", None),
    )
    built.not_in_torch = sorted(said["missing_keys"])
    built.not_in_tf = sorted(path for path in said["unexpected_keys"] if not path.endswith(COUNTER))
    return built


def config_of(torch_class: Any, pair: Pair) -> Any:
    """A config of its own for each model: some models change theirs, some configs what they are made of."""
    return torch_class.config_class(**copy.deepcopy(dict(pair.config)))


def randomise(module: nn.Module, seed: int, computed: Iterable[str] = ()) -> None:
    """Random numbers for every floating tensor of the state dict that training or its statistics made."""
    kept = {
        path: tensor.clone()
        for path, tensor in module.state_dict().items()
        if not tensor.is_floating_point() or any(part in path for part in computed)
    }
    randomise_torch(module, seed)
    module.load_state_dict(kept, strict=False)


def judge(built: Built) -> Outcome:
    """Carries the weights of the TensorFlow model into the target and compares with the source."""
    before = {path: tensor.clone() for path, tensor in built.target.state_dict().items()}
    start = time.perf_counter()
    match = autoport.match(built.tf, built.target, inputs=built.tf_inputs, torch_inputs=built.torch_inputs)
    outcome = Outcome(seconds=time.perf_counter() - start, match=match, complete=match.complete)
    outcome.missing, outcome.lost = match.missing("torch"), match.unexpected("torch")
    read = match.graph_torch.read_tensors()
    match.assign(strict=False)
    expected, aliases = built.source.state_dict(), match.graph_torch.aliases
    groups: dict[str, list[str]] = {}
    for path, tensor in built.target.state_dict().items():
        name = aliases.get(path, path)
        groups.setdefault(name, []).append(path)
        if name != path or path.endswith(COUNTER):
            continue
        if name not in read and torch.equal(tensor, before[path]):
            outcome.unused.append(path)
        elif name in outcome.missing and torch.equal(tensor, before[path]):
            outcome.unmatched.append(path)
        else:
            (outcome.right if torch.equal(tensor, expected[path]) else outcome.wrong).append(path)
    outcome.tied = [paths for paths in groups.values() if len(paths) > 1]
    return outcome


def apart(built: Built) -> float:
    """Largest difference between the outputs of the TensorFlow model and of the source, relative to their spread."""
    with torch.no_grad():
        theirs = built.source(**built.torch_inputs)
    ours = built.tf(built.tf_inputs, training=False)
    errors = [
        float(np.abs(array - np.asarray(ours[key])).max() / max(array.std(), 1e-6))
        if array.shape == tuple(ours[key].shape)
        else float("inf")
        for key, array in _arrays(theirs)
        if hasattr(ours.get(key), "shape")
    ]
    return max(errors, default=float("nan"))


def _arrays(outputs: Mapping[str, Any]) -> list[tuple[str, np.ndarray[Any, Any]]]:
    return [(key, value.numpy()) for key, value in outputs.items() if isinstance(value, torch.Tensor)]


def check(pair: Pair) -> Outcome:
    """Build a pair, port it, judge it."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    built = build(pair)
    difference = apart(built)
    outcome = judge(built)
    outcome.apart = difference
    return outcome
