"""The models whose cost is measured, in float32 and at the size they were made for."""

from __future__ import annotations

from typing import Any

from torch import nn

from tests.support import randomise_keras, randomise_torch
from tests.zoo.pairs import PAIRS, Shape

SHAPES: dict[str, Shape] = {
    "ResNet50 ~ torchvision": (224, 224, 3),
    "VGG16 ~ torchvision": (224, 224, 3),
    "MobileNetV2 ~ torchvision": (224, 224, 3),
    "NASNetLarge ~ timm": (331, 331, 3),
}


def build(name: str) -> tuple[Any, nn.Module]:
    """Both models of a pair of the zoo, with every weight written once, so that all their memory is in use."""
    (pair,) = (pair for pair in PAIRS if pair.name == name)
    model, module = pair.keras(SHAPES[name]), pair.torch().eval()
    randomise_keras(model, seed=1)
    randomise_torch(module, seed=2)
    return model, module
