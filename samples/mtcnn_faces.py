"""Trained weights on both sides: the three face detection networks of MTCNN.

The package `mtcnn` holds them as Keras weights, the package `facenet-pytorch` holds the same
training as PyTorch files. This sample ports the Keras weights into freshly initialised PyTorch
networks and compares every tensor with the file that facenet-pytorch ships: the bits are the same.

The two implementations name and order their layers differently: the scores of a face are the last
layer in one and come before the boxes in the other. Both turn the map to width, height, channels
before they flatten it, so the rows of the dense layers behind it must *not* be permuted.

    pip install mtcnn==1.0.0 torchvision pillow requests
    pip install --no-deps facenet-pytorch==2.6.0
    autoport report samples/mtcnn_faces.py:keras_onet samples/mtcnn_faces.py:torch_onet
"""

from collections.abc import Callable
from importlib.resources import as_file, files

import keras
import torch
import torchvision_fallback  # noqa: F401  (before facenet_pytorch, which imports torchvision)
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from mtcnn.network.onet import ONet as KerasONet
from mtcnn.network.pnet import PNet as KerasPNet
from mtcnn.network.rnet import RNet as KerasRNet
from mtcnn.utils.tensorflow import load_weights
from torch import Tensor, nn

import autoport


def trained(network: type[keras.Model], side: int | None, file: str) -> keras.Model:
    """A Keras network with the weights of the package, for images of `side` x `side` pixels."""
    model = network()
    model.build((None, side, side, 3))
    model.set_weights(load_weights(file))
    return model


def keras_pnet() -> keras.Model:
    """The network that proposes boxes, in images of any size."""
    return trained(KerasPNet, None, "pnet.lz4")


def keras_rnet() -> keras.Model:
    """The network that refines boxes."""
    return trained(KerasRNet, 24, "rnet.lz4")


def keras_onet() -> keras.Model:
    """The network that finds eyes, nose and mouth."""
    return trained(KerasONet, 48, "onet.lz4")


def torch_pnet() -> nn.Module:
    """The twin of `keras_pnet`, with fresh weights."""
    return PNet(pretrained=False)


def torch_rnet() -> nn.Module:
    """The twin of `keras_rnet`, with fresh weights."""
    return RNet(pretrained=False)


def torch_onet() -> nn.Module:
    """The twin of `keras_onet`, with fresh weights."""
    return ONet(pretrained=False)


PAIRS: dict[str, tuple[Callable[[], keras.Model], Callable[[], nn.Module]]] = {
    "pnet": (keras_pnet, torch_pnet),
    "rnet": (keras_rnet, torch_rnet),
    "onet": (keras_onet, torch_onet),
}


def shipped(name: str) -> dict[str, Tensor]:
    """The state dict that facenet-pytorch ships for a network."""
    with as_file(files("facenet_pytorch") / "data" / f"{name}.pt") as path:
        return torch.load(path, weights_only=True)


def same_bits(ported: Tensor, expected: Tensor) -> bool:
    """Whether two float32 tensors agree in shape and in every bit."""
    return torch.equal(ported.view(torch.int32), expected.view(torch.int32))


def main() -> None:
    """Port the three networks and print how many of their tensors are right."""
    for name, (source, target) in PAIRS.items():
        ported, expected = autoport.match(source(), target()).state_dict(), shipped(name)
        equal = [key for key in expected if same_bits(ported[key], expected[key])]
        print(f"{name}: {len(equal)} of {len(expected)} tensors are bit-identical")


if __name__ == "__main__":
    main()
