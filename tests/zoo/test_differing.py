"""Real pairs of which one has been changed: what is left of it is carried over, and nothing else.

The truth is the port of the unchanged pair. After a change every tensor of the PyTorch model must hold what it
holds there, or what it held before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

import autoport
from autoport.errors import IncompleteMatchError
from tests.support import randomise_keras, randomise_torch
from tests.zoo.pairs import PAIRS

Change = Callable[[nn.Module], None]


@dataclass(frozen=True)
class Case:
    """A changed model.

    Args:
        name: shown to people.
        pair: name of the pair.
        change: what is done to the PyTorch model.
        said: modules, and layers, that the report must name.
        lost: share of the unchanged tensors that may be left open.
        small: in the default test run.
    """

    name: str
    pair: str
    change: Change
    said: tuple[str, ...]
    lost: float = 0.0
    small: bool = False

    @property
    def marks(self) -> tuple[pytest.MarkDecorator, ...]:
        return () if self.small else (pytest.mark.zoo,)


def another_number_of_classes(model: Any) -> None:
    model.fc = nn.Linear(2048, 7)


def another_head(model: Any) -> None:
    model.classifier = nn.Sequential(nn.Linear(1024, 50), nn.ReLU(), nn.Linear(50, 7))


def a_layer_more(model: Any) -> None:
    """A convolution behind the stem."""
    model.maxpool = nn.Sequential(model.maxpool, nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.ReLU())


def a_block_with_another_width(model: Any) -> None:
    """The only block of its kind reads and makes what it did, over fewer channels."""
    block = model.layer2[0]
    block.conv1, block.bn1 = nn.Conv2d(256, 96, 1, bias=False), nn.BatchNorm2d(96)
    block.conv2, block.bn2 = nn.Conv2d(96, 96, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(96)
    block.conv3 = nn.Conv2d(96, 512, 1, bias=False)


def a_block_less(model: Any) -> None:
    """Which of five equal blocks is missing cannot be known."""
    del model.layer3[3]


def a_folded_norm(model: Any) -> None:
    """The stem's norm is folded into its convolution, which gains a bias."""
    model.conv1 = fuse_conv_bn_eval(model.conv1, model.bn1)
    model.bn1 = nn.Identity()


def an_auxiliary_branch(model: Any) -> None:
    """A second classifier that reads a feature map in the middle."""
    model.auxiliary = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 11))
    forward = type(model.layer2).forward

    class Tapped(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = forward(self, x)
            seen.append(model.auxiliary(y))
            return y

    seen: list[torch.Tensor] = []
    model.layer2 = Tapped(*model.layer2)
    plain = type(model).forward

    class WithAuxiliary(type(model)):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            seen.clear()
            return plain(self, x), seen.pop()

    model.__class__ = WithAuxiliary


def no_gate(model: Any) -> None:
    """A block without its squeeze and excitation."""
    del model.features[4].block[2]


RESNET, DENSENET, MOBILENET = "ResNet50 ~ torchvision", "DenseNet121 ~ torchvision", "MobileNetV3Small ~ torchvision"
CASES = [
    Case("another number of classes", RESNET, another_number_of_classes, ("fc",)),
    Case("another head", DENSENET, another_head, ("classifier.0", "classifier.2")),
    Case("a layer more", RESNET, a_layer_more, ("maxpool.1",)),
    Case("another width", RESNET, a_block_with_another_width, ("layer2.0.conv1", "layer2.0.conv2"), 0.01, small=True),
    Case("a block less", RESNET, a_block_less, ("layer3.0", "ambiguous"), 0.3, small=True),
    Case("a folded norm", RESNET, a_folded_norm, ("conv1", "conv1_bn"), small=True),
    Case("an auxiliary branch", RESNET, an_auxiliary_branch, ("auxiliary.2",)),
    Case("no gate", MOBILENET, no_gate, ("expanded_conv_3_squeeze_excite_conv",)),
]


@cache
def ported(name: str) -> tuple[Any, nn.Module]:
    """Both models of a pair, the PyTorch one with the weights of the Keras one."""
    model, module = next(pair for pair in PAIRS if pair.name == name).build()
    randomise_keras(model, seed=1)
    randomise_torch(module, seed=2)
    autoport.match(model, module).assign()
    return model, module


def tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name, marks=case.marks) for case in CASES])
def test_what_is_left_is_carried_over(case: Case) -> None:
    model, original = ported(case.pair)
    truth = original.state_dict()
    module = copy.deepcopy(original)
    before = tensors(module)
    case.change(module)
    unchanged = {new: old for new, tensor in tensors(module).items() for old in before if before[old] is tensor}
    module.double().eval()
    randomise_torch(module, seed=3)
    random = {path: tensor.clone() for path, tensor in module.state_dict().items()}

    match = autoport.match(model, module)
    with pytest.raises(IncompleteMatchError):
        match.assign()
    match.assign(strict=False)

    after = module.state_dict()
    right = {path for path, old in unchanged.items() if torch.equal(after[path], truth[old])}
    wrong = {path for path in after if path not in right and not torch.equal(after[path], random[path])}
    assert not wrong
    assert len(right) >= len(unchanged) * (1 - case.lost), sorted(unchanged.keys() - right)
    said = match.report(format="json")
    for text in case.said:
        assert text in said
