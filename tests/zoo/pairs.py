"""Real pairs: models of keras.applications and independently written PyTorch twins of them.

Shapes are small, but leave more than one pixel to the last layers (a 7x1 kernel needs four rows to
show all it holds). They are not square, so that a transposed image cannot pass unnoticed, and their
sizes are both odd and even on the way down: TensorFlow's `same` padding is symmetric for odd ones only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from tests.support import import_torchvision, keras_float64
from tests.zoo import align
from tests.zoo.align import Edit

Shape = tuple[int, int, int]
IMAGENET_MEAN, IMAGENET_VARIANCE = (0.485, 0.456, 0.406), (0.229**2, 0.224**2, 0.225**2)


@dataclass(frozen=True)
class Pair:
    """A Keras model and its PyTorch twin.

    Args:
        name: shown to people, and the test's id.
        keras: builds the Keras model for an input shape, height, width, channels.
        torch: builds the PyTorch twin.
        shape: the input shape used.
        align: edits the PyTorch module until it computes the Keras model's function.
        differences: hyper-parameters that change the function, all of which must be reported.
        left: those of them that reconciling cannot set.
        reversible: every Keras tensor can be recovered from the PyTorch module; not so where a
            bias was absorbed into a normalisation.
        scale: standard deviation of the images; large where the Keras model rescales pixels.
        small: in the default test run.
    """

    name: str
    keras: Callable[[Shape], Any]
    torch: Callable[[], nn.Module]
    shape: Shape = (67, 96, 3)
    align: Edit | None = None
    differences: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    reversible: bool = True
    scale: float = 1.0
    small: bool = False

    @property
    def equal(self) -> bool:
        """The two compute the same function once the weights are carried."""
        return not self.differences

    def build(self) -> tuple[Any, nn.Module]:
        """Both models, in float64."""
        with keras_float64():
            model = self.keras(self.shape)
        return model, self.torch().double().eval()


def app(name: str, **options: Any) -> Callable[[Shape], Any]:
    """A keras.applications model that returns logits."""

    def build(shape: Shape) -> Any:
        import keras

        return getattr(keras.applications, name)(weights=None, classifier_activation=None, input_shape=shape, **options)

    return build


def efficientnet_b0(shape: Shape) -> Any:
    """EfficientNetB0, normalising with the statistics of ImageNet as the trained model does."""
    import keras

    model = app("EfficientNetB0")(shape)
    (layer,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    layer.adapt_mean.assign(np.array(IMAGENET_MEAN, np.float32))
    layer.adapt_variance.assign(np.array(IMAGENET_VARIANCE, np.float32))
    layer.finalize_state()
    return model


def tv(name: str, **options: Any) -> Callable[[], nn.Module]:
    """A torchvision model without trained weights."""
    return lambda: getattr(import_torchvision().models, name)(weights=None, **options)


def timm(name: str, **options: Any) -> Callable[[], nn.Module]:
    """A timm model without trained weights."""

    def build() -> nn.Module:
        import_torchvision()  # timm imports it
        import timm

        return timm.create_model(name, **options)

    return build


def resnetv2_50() -> nn.Module:
    """The twin of ResNet50V2 in timm, with its zero-padded pooling and biased stem, without other biases."""
    model = timm("resnetv2_50", stem_type="fixed")()
    model.stem.conv = nn.Conv2d(3, 64, 7, stride=2, padding=3)
    return model


def nasnet_mobile() -> nn.Module:
    """NASNet-A (4 @ 1056), which timm lacks, made of timm's cells."""
    import_torchvision()
    from tests.zoo.nasnet_mobile import NASNetAMobile

    return NASNetAMobile()


def gap(*differences: str, **options: Any) -> dict[str, Any]:
    """What keeps twins apart: the hyper-parameters, and further arguments of `Pair`.

    What is computed by operations that one side lacks cannot be set.
    """
    return {"differences": frozenset(differences), "left": UNSETTABLE & set(differences), **options}


# Operations that one side lacks.
UNSETTABLE = frozenset({"operation", "preprocessing"})
VGG_SHAPE, RESNET_SHAPE, INCEPTION_SHAPE = (225, 250, 3), (77, 102, 3), (107, 140, 3)
TF = {"pad_type": "same", "bn_eps": 1e-3}  # timm's options for models converted from TensorFlow
RAW = {"include_preprocessing": False}
IMAGENET = align.preprocess(1 / 255, mean=IMAGENET_MEAN, variance=IMAGENET_VARIANCE)
TO_TENSORFLOW = align.edits(align.epsilon(1e-3), align.same_padding)
TO_RESNET = align.edits(align.epsilon(1.001e-5), align.stride_on_first)
TO_RESNET_V2 = align.edits(align.epsilon(1.001e-5), align.stride_on_last_block)

RESNET = gap("epsilon", "stride", align=TO_RESNET, reversible=False, shape=RESNET_SHAPE)
RESNET_V2 = gap("epsilon", "stride", "operation", align=TO_RESNET_V2, reversible=False, shape=RESNET_SHAPE)
# A stride that moves takes the shortcut with it, which is an operation.
RESNET_V2["left"] |= {"stride"}
DENSENET = gap("epsilon", align=align.epsilon(1.001e-5), shape=RESNET_SHAPE)
INCEPTION = gap("count_include_pad", align=align.average_without_padding, shape=INCEPTION_SHAPE)
MOBILENET = gap("epsilon", "padding", align=align.edits(align.epsilon(1e-3), align.pad_at_the_end, align.same_padding))
SYMMETRIC = gap("padding", align=align.same_padding)
PYTORCH_STYLE = gap("epsilon", "padding", align=TO_TENSORFLOW)
PIXELS = gap("preprocessing", align=IMAGENET, scale=80.0)
PYTORCH_STYLE_PIXELS = gap(
    "epsilon", "padding", "preprocessing", align=align.edits(TO_TENSORFLOW, IMAGENET), scale=80.0
)
CENTRED_PIXELS_127 = gap("preprocessing", align=align.preprocess(1 / 127.5, -1.0), scale=80.0)
CENTRED_PIXELS_128 = gap("preprocessing", align=align.preprocess(1 / 128, -1.0), scale=80.0)
# No hyper-parameter but the rounding of a constant in TensorFlow.
CONVNEXT = gap(align=align.gelu_of_tensorflow)
NASNET = gap("pad_value", align=align.pool_over_zeros, shape=(97, 131, 3))


PAIRS = [
    Pair("VGG16 ~ torchvision", app("VGG16"), tv("vgg16"), shape=VGG_SHAPE),
    Pair("VGG16 ~ timm", app("VGG16"), timm("vgg16"), shape=VGG_SHAPE),
    Pair("VGG19 ~ torchvision", app("VGG19"), tv("vgg19"), shape=VGG_SHAPE),
    Pair("ResNet50 ~ torchvision", app("ResNet50"), tv("resnet50"), **RESNET, small=True),
    Pair("ResNet50 ~ timm", app("ResNet50"), timm("resnet50"), **RESNET),
    Pair("ResNet101 ~ torchvision", app("ResNet101"), tv("resnet101"), **RESNET),
    Pair("ResNet152 ~ timm", app("ResNet152"), timm("resnet152"), **RESNET),
    Pair("ResNet50V2 ~ timm", app("ResNet50V2"), resnetv2_50, **RESNET_V2),
    Pair("DenseNet121 ~ torchvision", app("DenseNet121"), tv("densenet121"), **DENSENET, small=True),
    Pair("DenseNet169 ~ timm", app("DenseNet169"), timm("densenet169"), **DENSENET),
    Pair("DenseNet201 ~ torchvision", app("DenseNet201"), tv("densenet201"), **DENSENET),
    Pair(
        "InceptionV3 ~ torchvision",
        app("InceptionV3"),
        tv("inception_v3", aux_logits=False, init_weights=False),
        **INCEPTION,
    ),
    Pair("InceptionV3 ~ timm", app("InceptionV3"), timm("inception_v3"), **INCEPTION),
    Pair(
        "InceptionResNetV2 ~ timm",
        app("InceptionResNetV2"),
        timm("inception_resnet_v2"),
        shape=INCEPTION_SHAPE,
    ),
    Pair("Xception ~ timm", app("Xception"), timm("legacy_xception"), shape=(75, 92, 3), **PYTORCH_STYLE),
    Pair("MobileNet ~ timm", app("MobileNet"), timm("mobilenetv1_100"), **MOBILENET, small=True),
    Pair("MobileNetV2 ~ torchvision", app("MobileNetV2"), tv("mobilenet_v2"), **PYTORCH_STYLE),
    Pair("MobileNetV2 ~ timm", app("MobileNetV2"), timm("mobilenetv2_100"), **PYTORCH_STYLE),
    Pair("MobileNetV2 ~ timm, TensorFlow style", app("MobileNetV2"), timm("mobilenetv2_100", **TF), small=True),
    Pair(
        "MobileNetV3Small ~ torchvision",
        app("MobileNetV3Small", **RAW),
        tv("mobilenet_v3_small"),
        **SYMMETRIC,
        small=True,
    ),
    Pair("MobileNetV3Small ~ timm tf", app("MobileNetV3Small", **RAW), timm("tf_mobilenetv3_small_100")),
    Pair(
        "MobileNetV3Small minimalistic ~ timm tf",
        app("MobileNetV3Small", minimalistic=True, **RAW),
        timm("tf_mobilenetv3_small_minimal_100"),
    ),
    Pair(
        "MobileNetV3Large ~ torchvision",
        app("MobileNetV3Large", **RAW),
        tv("mobilenet_v3_large"),
        **SYMMETRIC,
    ),
    Pair(
        "MobileNetV3Large ~ timm",
        app("MobileNetV3Large", **RAW),
        timm("mobilenetv3_large_100"),
        **PYTORCH_STYLE,
    ),
    Pair(
        "MobileNetV3Large with preprocessing ~ timm tf",
        app("MobileNetV3Large"),
        timm("tf_mobilenetv3_large_100"),
        **CENTRED_PIXELS_127,
    ),
    Pair("EfficientNetB0 ~ torchvision", efficientnet_b0, tv("efficientnet_b0"), **PYTORCH_STYLE_PIXELS),
    Pair("EfficientNetB0 ~ timm tf", efficientnet_b0, timm("tf_efficientnet_b0"), **PIXELS, small=True),
    Pair("EfficientNetV2B0 ~ timm tf", app("EfficientNetV2B0", **RAW), timm("tf_efficientnetv2_b0"), small=True),
    Pair(
        "EfficientNetV2B0 with preprocessing ~ timm tf",
        app("EfficientNetV2B0"),
        timm("tf_efficientnetv2_b0"),
        **PIXELS,
    ),
    Pair("EfficientNetV2S ~ torchvision", app("EfficientNetV2S", **RAW), tv("efficientnet_v2_s"), **SYMMETRIC),
    Pair(
        "EfficientNetV2S with preprocessing ~ timm tf",
        app("EfficientNetV2S"),
        timm("tf_efficientnetv2_s"),
        **CENTRED_PIXELS_128,
    ),
    Pair(
        "ConvNeXtTiny ~ torchvision",
        app("ConvNeXtTiny", **RAW),
        tv("convnext_tiny"),
        shape=(131, 160, 3),
        **CONVNEXT,
    ),
    Pair("ConvNeXtTiny ~ timm", app("ConvNeXtTiny", **RAW), timm("convnext_tiny"), **CONVNEXT),
    Pair("NASNetMobile ~ cells of timm", app("NASNetMobile"), nasnet_mobile, **NASNET),
    Pair("NASNetLarge ~ timm", app("NASNetLarge"), timm("nasnetalarge"), **NASNET),
]
