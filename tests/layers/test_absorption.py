"""Biases that the PyTorch model lacks."""

from __future__ import annotations

import keras
import pytest
import torch
from keras import layers
from torch import nn

import autoport
from autoport.errors import IncompleteMatchError
from autoport.facts.reasons import Code
from tests.oracle import assert_ports, sequential
from tests.support import randomise_keras


def test_a_bias_in_front_of_a_batch_norm_goes_into_its_mean() -> None:
    match = assert_ports(
        lambda: sequential((9, 12, 3), layers.Conv2D(4, 3), layers.BatchNormalization(epsilon=1e-5)),
        nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)),
        recovers=False,
    )
    assert "-" in match.plan("torch").entries["1.running_mean"].expression.split("->")[0]


class PreActivation(nn.Module):
    """A residual network that normalises before it convolves, without a bias anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3 if k == 0 else 4, 4, 3, padding=1, bias=False) for k in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.convs[0](x)
        for conv, norm in zip(self.convs[1:], self.norms, strict=False):
            x = x + conv(torch.relu(norm(x)))
        return torch.relu(self.norms[2](x)).mean((2, 3))


def test_biases_on_a_residual_stream_go_into_every_later_norm() -> None:
    def build() -> keras.Model:
        image = keras.Input((9, 12, 3))
        x = layers.Conv2D(4, 3, padding="same")(image)
        for _ in range(2):
            y = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(x))
            x = x + layers.Conv2D(4, 3, padding="same")(y)
        x = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(x))
        return keras.Model(image, layers.GlobalAveragePooling2D()(x))

    assert_ports(build, PreActivation(), recovers=False)


@pytest.mark.parametrize(
    "behind",
    [[layers.ReLU()], [layers.Conv2D(4, 3, padding="same")], []],
    ids=["an activation", "another convolution", "the output"],
)
def test_a_bias_that_nothing_can_absorb_is_reported_with_its_reason(behind: list[keras.layers.Layer]) -> None:
    twins = {layers.ReLU: nn.ReLU, layers.Conv2D: lambda: nn.Conv2d(4, 4, 3, padding=1)}
    model = sequential((9, 12, 3), layers.Conv2D(4, 3), *behind)
    randomise_keras(model, 1)
    module = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), *[twins[type(layer)]() for layer in behind])
    before = module[0].weight.detach().clone()
    match = autoport.match(model, module)
    with pytest.raises(IncompleteMatchError) as raised:
        match.assign()
    ((_, reason),) = raised.value.unexpected
    assert reason.code in {Code.BIAS_BEFORE_NORM, Code.BIAS_REACHES_OUTPUT}
    assert str(reason) in str(raised.value)
    assert torch.equal(module[0].weight, before)
