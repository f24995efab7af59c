"""What is right: a PyTorch model's tensors, through its TensorFlow twin, into a second PyTorch model, bit by bit.

The way into TensorFlow is transformers' own converter, which knows the names; the way back is autoport.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

import autoport
from autoport.errors import IncompleteMatchError, VerificationError
from tests.support import import_torchvision, randomise_torch
from tests.transformers.pairs import Arrays, Pair
from tests.verdict import Verdict, verdict

CLOSE = 1e-4
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
        wrong: neither equal to the source nor reported.
        unmatched: read by the forward pass and reported as missing.
        unused: without any effect on the outputs, and left alone.
        overlooked: with an effect on the outputs, although autoport says that nothing reads them; they are wrong
            after a strict transfer, and unmatched where it was refused for another reason.
        missing: what autoport reports as missing, with reasons.
        lost: TensorFlow weights that autoport reports without a place, with reasons.
        settled: proved by running both models, where structure left them in doubt.
        strict: a strict transfer ran.
        equal: the target computes what the source computes, bit by bit.
        tied: groups of paths that share a tensor.
        seconds: time of `autoport.match`.
        match: the match.
        verdict: what people are told of it.
    """

    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    overlooked: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    settled: list[str] = field(default_factory=list)
    strict: bool = True
    equal: bool = False
    tied: list[list[str]] = field(default_factory=list)
    seconds: float = 0.0
    match: Any = None
    verdict: Verdict | None = None


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
    outcome = Outcome(seconds=time.perf_counter() - start, match=match)
    outcome.settled = settled(match)
    outcome.missing, outcome.lost = match.missing("torch"), match.unexpected("torch")
    try:
        match.assign()
    except IncompleteMatchError:
        outcome.strict = False
        match.assign(strict=False)
    outcome.verdict = verdict(match)
    _compare(built, before, outcome)
    outcome.overlooked = [path for path in outcome.unused if _matters(built, path)]
    outcome.unused = [path for path in outcome.unused if path not in outcome.overlooked]
    (outcome.wrong if outcome.strict else outcome.unmatched).extend(outcome.overlooked)
    outcome.equal = _equal(torch_outputs(built.target, built), torch_outputs(built.source, built))
    return outcome


def settled(match: Any) -> list[str]:
    """What running both models proves of the tensors that structure leaves in doubt."""
    if match.complete:
        return []
    try:
        proved: list[str] = match.settle()
    except VerificationError:
        return []
    return proved


def _compare(built: Built, before: Mapping[str, torch.Tensor], outcome: Outcome) -> None:
    """Sorts the tensors of the target by what became of them."""
    expected, aliases = built.source.state_dict(), outcome.match.graph_torch.aliases
    read = outcome.match.graph_torch.read_tensors()
    groups: dict[str, list[str]] = {}
    for path, tensor in built.target.state_dict().items():
        groups.setdefault(aliases.get(path, path), []).append(path)
        if path in aliases or path.endswith(COUNTER):
            continue
        untouched = torch.equal(tensor, before[path])
        if path in outcome.missing and untouched:
            outcome.unmatched.append(path)
        elif path not in read and untouched:
            outcome.unused.append(path)
        else:
            (outcome.right if torch.equal(tensor, expected[path]) else outcome.wrong).append(path)
    outcome.tied = [paths for paths in groups.values() if len(paths) > 1]


def _matters(built: Built, path: str) -> bool:
    """Whether other numbers in a tensor of the source change its outputs."""
    tensor = built.source.state_dict()[path]
    if not tensor.is_floating_point():
        return False
    reference, kept = torch_outputs(built.source, built), tensor.clone()
    tensor.mul_(3.0).add_(1.0)
    changed = torch_outputs(built.source, built)
    tensor.copy_(kept)
    return not _equal(reference, changed)


def apart(built: Built) -> float:
    """Largest difference between the outputs of the TensorFlow model and of the source, relative to their spread."""
    ours = built.tf(built.tf_inputs, training=False)
    errors = [
        float(np.abs(array.ravel() - np.asarray(ours[key]).ravel()).max() / max(array.std(), 1e-6))
        if array.size == np.size(ours[key])
        else float("inf")
        for key, array in torch_outputs(built.source, built).items()
        if hasattr(ours.get(key), "shape") and key != "loss"
    ]
    return max(errors, default=float("nan"))


def torch_outputs(module: nn.Module, built: Built) -> Arrays:
    with torch.no_grad():
        outputs = module(**built.torch_inputs)
    if isinstance(outputs, torch.Tensor):
        return {"output": outputs.numpy()}
    return {key: value.numpy() for key, value in outputs.items() if type(value) is torch.Tensor}


def _equal(left: Arrays, right: Arrays) -> bool:
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k], equal_nan=True) for k in left)
