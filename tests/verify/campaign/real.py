"""Real pairs to break: models of keras.applications, tiny models of transformers, hand-written twins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random as Chance
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import autoport
from autoport.verify.verification import Verification
from tests.support import randomise_keras, randomise_torch
from tests.verify.campaign import weights
from tests.verify.campaign.functions import CASTS, MOVED, OTHER
from tests.verify.campaign.subjects import OUTPUT
from tests.verify.campaign.trials import FUNCTIONS, UNMUTATED, WEIGHTS, Outcome
from tests.verify.models import PAIRS as TWINS
from tests.verify.models import ported

Inputs = dict[str, Tensor]
IMAGE = (35, 48, 3)
ZOO = (
    "MobileNetV2 ~ timm, TensorFlow style", "MobileNetV3Small ~ timm tf", "EfficientNetV2B0 ~ timm tf",
    "MobileNetV3Small minimalistic ~ timm tf",
)  # fmt: skip
# Their caches have another structure in TensorFlow, which is a difference by itself.
CACHING = {"gpt2", "t5", "bart"}
# A mistake shows where its value is read: in the calls behind it, or in a function between modules.
NEAR, FUNCTION = 4, "model:"
PASSING = (nn.Identity, nn.Dropout)
TRANSFORMERS = ("bert", "gpt2", "t5", "vit", "albert", "bart", "electra", "roberta")


@dataclass
class Real:
    """A right port.

    Attributes:
        name: of the pair.
        module: the PyTorch model, with the weights of the Keras one.
        match: both, matched.
        draws: what the oracle runs it on.
    """

    name: str
    module: nn.Module
    match: autoport.Match
    draws: Sequence[Any]

    def outputs(self) -> list[np.ndarray[Any, Any]]:
        """What the module returns in float64; its weights are as they were behind it."""
        dtype = next(self.module.parameters()).dtype
        self.module.double()
        with torch.no_grad():
            found = [tensor for draw in self.draws for tensor in _run(self.module, draw)]
        self.module.to(dtype)
        return found

    @property
    def leaves(self) -> list[str]:
        """Modules without children, in the order of their calls."""
        order: list[str] = []
        hooks = [
            module.register_forward_hook(lambda *_, name=name: order.append(name))
            for name, module in self.module.named_modules()
            if not list(module.children())
        ]
        self.outputs()
        for hook in hooks:
            hook.remove()
        return order[: len(order) // len(self.draws)]


def _run(module: nn.Module, draw: Any) -> list[np.ndarray[Any, Any]]:
    cast = {key: value.double() if value.is_floating_point() else value for key, value in draw.items()}
    results = module(*cast.values()) if set(cast) <= {"x"} else module(**cast)
    if isinstance(results, Tensor):
        results = [results]
    values = results.values() if hasattr(results, "values") else results
    return [value.numpy() for value in values if isinstance(value, Tensor)]


def distance(first: Sequence[Any], second: Sequence[Any]) -> float:
    """The largest difference of outputs, relative to their size."""
    if [a.shape for a in first] != [b.shape for b in second]:
        return float("inf")
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-300)) for a, b in zip(first, second, strict=True))


def _twin(name: str) -> Real:
    match, module = ported(name)
    shape = {"convolutions": (2, 3, 9, 12), "attention": (2, 7, 8), "recurrent": (2, 7, 6)}[name]
    return Real(name, module.eval(), match, [{"x": torch.randn(shape, dtype=torch.float64)} for _ in range(3)])


def _zoo(name: str) -> Real:
    from tests.zoo.pairs import PAIRS

    pair = next(pair for pair in PAIRS if pair.name == name)
    model, module = pair.keras(IMAGE), pair.torch().eval()
    randomise_keras(model, 1)
    randomise_torch(module, 2)
    match = autoport.match(model, module)
    match.assign()
    return Real(name, module, match, [{"x": torch.randn(2, 3, *IMAGE[:2], dtype=torch.float64)} for _ in range(2)])


def _transformer(name: str) -> Real:
    from tests.transformers.oracle import build
    from tests.transformers.pairs import PAIRS

    pair = next(pair for pair in PAIRS if pair.name == name)
    cacheless = {"use_cache": False} if name in CACHING else {}
    built = build(replace(pair, config={**pair.config, **cacheless}))
    match = autoport.match(built.tf, built.target, inputs=built.tf_inputs, torch_inputs=built.torch_inputs)
    match.assign(strict=False)
    draws = [pair.inputs(np.random.default_rng(number)) for number in range(3)]
    return Real(name, built.target.eval(), match, [{k: torch.from_numpy(a) for k, a in d.items()} for d in draws])


MAKERS: dict[str, Callable[[], Real]] = {
    **{name: (lambda name=name: _twin(name)) for name in TWINS},
    **{name: (lambda name=name: _transformer(name)) for name in TRANSFORMERS},
    **{name: (lambda name=name: _zoo(name)) for name in ZOO},
}


def _channel(y: Tensor) -> int:
    return 1 if y.ndim == 4 else -1


BEHIND: dict[str, tuple[Callable[[Tensor], Tensor], frozenset[str]]] = {
    "channels flipped": (lambda y: y.flip(_channel(y)), MOVED),
    "rolled": (lambda y: y.roll(1, _channel(y)), MOVED),
    "steps flipped": (lambda y: y.flip(-1 if y.ndim == 4 else 1), MOVED),
    "view without permute": (
        lambda y: y.movedim(1, -1).reshape(y.shape),
        frozenset({"view without permute", "axes exchanged"}),
    ),
    "scaled": (lambda y: y * 1.1, OTHER | {"scale"}),
    "shifted": (lambda y: y + 0.1, OTHER | {"shift"}),
    "another sign": (lambda y: -y, OTHER | {"sign", "scale"}),
    "rounded": (torch.round, CASTS | {"operation"}),
    "an activation more": (torch.tanh, OTHER),
    "a softmax more": (lambda y: y.softmax(_channel(y)), OTHER | {"softmax"}),
}


def _number(name: str, change: Callable[[float], float]) -> Callable[[nn.Module], bool]:
    def edit(module: nn.Module) -> bool:
        value = getattr(module, name, None)
        if not isinstance(value, float):
            return False
        setattr(module, name, change(value))
        return True

    return edit


def _pads(module: nn.Module) -> bool:
    """A convolution sees its image a pixel further."""
    if not isinstance(module, nn.Conv2d) or isinstance(module.padding, str) or max(module.padding) < 1:
        return False
    high, wide = module.padding
    module.padding = (0, 0)
    forward = module.forward
    module.forward = lambda x: forward(F.pad(x, (wide - 1, wide + 1, high, high)))  # type: ignore[method-assign]
    return True


def _left_out(kinds: tuple[type[nn.Module], ...]) -> Callable[[nn.Module], bool]:
    def edit(module: nn.Module) -> bool:
        if not isinstance(module, kinds):
            return False
        module.forward = lambda x: x  # type: ignore[method-assign]
        return True

    return edit


def _instead(kinds: tuple[type[nn.Module], ...], forward: Callable[[Tensor], Tensor]) -> Callable[[nn.Module], bool]:
    def edit(module: nn.Module) -> bool:
        if not isinstance(module, kinds):
            return False
        module.forward = forward  # type: ignore[method-assign]
        return True

    return edit


EDITS: dict[str, tuple[Callable[[nn.Module], bool], frozenset[str]]] = {
    "another epsilon": (_number("eps", lambda value: 3 * value), frozenset({"epsilon"})),
    "an epsilon by 1 %": (_number("eps", lambda value: 1.01 * value), frozenset({"epsilon"})),
    "padding elsewhere": (_pads, frozenset({"padding"})),
    "a norm left out": (_left_out((nn.BatchNorm2d, nn.LayerNorm)), OTHER | {"scale", "shift", "weights"}),
    "an activation left out": (_left_out((nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish)), OTHER),
    "another activation": (_instead((nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish), F.softsign), OTHER),
}


def outcomes(name: str, count_weights: int, count_functions: int, only: str | None) -> Iterator[Outcome]:
    """Trials of one real pair."""
    real = MAKERS[name]()
    right = real.outputs()
    if only is None or only == f"{name}/{UNMUTATED}":
        yield Outcome(
            f"{name}/{UNMUTATED}", UNMUTATED, UNMUTATED, 0.0, real.match.verify(), refused=not real.match.complete
        )
    for number in range(count_weights):
        case = f"{name}/weights/{number}"
        if only in (None, case):
            yield from _of_weights(real, right, case, number)
    for number in range(count_functions):
        case = f"{name}/functions/{number}"
        if only in (None, case):
            yield from _of_functions(real, right, case)


def _of_weights(real: Real, right: Sequence[Any], case: str, number: int) -> Iterator[Outcome]:
    names = list(weights.MUTATIONS)
    carried = set(real.match.plan("torch").entries)
    broken = weights.broken(real.module, carried, names[number % len(names)], Chance(case))
    if broken is None:
        return
    state = real.module.state_dict()
    kept = {path: state[path].clone() for path in broken.paths}
    with torch.no_grad():
        for path, value in zip(broken.paths, broken.values, strict=True):
            state[path].copy_(value)
        changed, verification = _verified(real, right)
        state = real.module.state_dict()
        for path, value in kept.items():
            state[path].copy_(value)
    places = frozenset(path.rpartition(".")[0] for path in broken.paths)
    yield Outcome(case, WEIGHTS, broken.name, changed, verification, places, frozenset({"weights"}))


def _of_functions(real: Real, right: Sequence[Any], case: str) -> Iterator[Outcome]:
    chance = Chance(case)
    name = chance.choice([*BEHIND, *EDITS])
    order = real.leaves
    for leaf in chance.sample(order, len(order)):
        module = real.module.get_submodule(leaf)
        kept = dict(module.__dict__)
        try:
            outcome = _verified(real, right) if _broken(module, name) else None
        except (RuntimeError, AttributeError, TypeError):  # such a model does not run
            outcome = None
        module.__dict__.clear()
        module.__dict__.update(kept)
        if outcome is None:
            continue
        changed, verification = outcome
        near = _near(real, order[order.index(leaf) :])
        places = frozenset({leaf, FUNCTION, *near, *([OUTPUT] if near[-1] == order[-1] else [])})
        yield Outcome(case, FUNCTIONS, name, changed, verification, places, (BEHIND | EDITS)[name][1])
        return


def _near(real: Real, order: Sequence[str]) -> list[str]:
    """The first of some calls; those that hand on what they read do not count."""
    doing = [k for k, leaf in enumerate(order) if not isinstance(real.module.get_submodule(leaf), PASSING)]
    return list(order[: doing[NEAR - 1] + 1 if len(doing) >= NEAR else len(order)])


def _verified(real: Real, right: Sequence[Any]) -> tuple[float, Verification]:
    return distance(real.outputs(), right), real.match.verify()


def _broken(module: nn.Module, name: str) -> bool:
    if name in EDITS:
        return EDITS[name][0](module)
    forward, done = module.forward, BEHIND[name][0]
    module.forward = lambda *values, **more: done(forward(*values, **more))  # type: ignore[method-assign]
    return True
