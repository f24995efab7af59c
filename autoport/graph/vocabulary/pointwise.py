"""Kinds that treat every element by itself: activations, functions, arithmetic, comparisons, choices."""

from __future__ import annotations

from typing import Any

import numpy as np

from autoport.graph.vocabulary.attributes import attribute_list
from autoport.graph.vocabulary.kind import Attribute
from autoport.graph.vocabulary.moves import KEEPS
from autoport.graph.vocabulary.registry import declare


def _pointwise(names: str, family: str, attributes: str = "", *own: Attribute, **traits: Any) -> None:
    traits = {"arity": (1, 1), "moves": KEEPS, "is_pointwise": True, **traits}
    declare(names, family, attribute_list(attributes, *own), **traits)


def _bound(name: str) -> Attribute:
    return Attribute(name, on_some_inputs=True)


def _activations(names: str, attributes: str = "", *own: Attribute, **traits: Any) -> None:
    _pointwise(names, "activations", attributes, *own, is_activation=True, **traits)


def _functions(names: str, **traits: Any) -> None:
    _pointwise(names, "functions of one tensor", **traits)


def _arithmetic(names: str, *own: Attribute, **traits: Any) -> None:
    _pointwise(names, "arithmetic", "constant constant_first", *own, **{"arity": (1, None), **traits})


_activations("relu relu6 sigmoid hard_sigmoid", is_non_negative=True)
_activations("exp", is_non_negative=True, on_numbers=np.exp)
_activations("hard_sigmoid_keras2 hard_swish log_sigmoid mish selu silu softsign tanh tanh_shrink squareplus")
_activations("sparse_plus sparse_sigmoid")
_activations("celu elu", "alpha")
_activations("gelu", "approximate")
_activations("leaky_relu", "negative_slope")
_activations("softplus", "beta threshold")
_activations("clamp", "low high")
_activations("hard_shrink soft_shrink", "", _bound("threshold"))
_activations("threshold", "value", _bound("threshold"))
_activations("relu_general", "negative_slope", _bound("limit"), _bound("threshold"))

_functions("abs square", is_non_negative=True)
_functions("log", on_numbers=np.log)
_functions("neg", on_numbers=np.negative)
_functions("rsqrt", on_numbers=lambda x: 1 / np.sqrt(x))
_functions("sqrt", on_numbers=np.sqrt)
_functions("reciprocal erf erfc erfinv lgamma digamma log10 log1p log2 logit exp2 expm1 cbrt")
_functions("ceil floor sign trunc frac deg2rad rad2deg angle conj real imag sinc i0")
_functions("sin cos tan sinh cosh asin acos atan asinh acosh atanh")
_functions("not isfinite isinf isnan isneginf isposinf signbit bitwise_not")

_FACTOR = Attribute("factor")
_AFFINE = {"is_arithmetic": True, "is_affine": True}
_arithmetic("add", _FACTOR, **_AFFINE, adds=True, is_commutative=True, keeps_sign=True, on_numbers=np.add)
_arithmetic("sub", _FACTOR, **_AFFINE, undoes="add", on_numbers=np.subtract)
_arithmetic("mul", **_AFFINE, scales=True, is_commutative=True, on_numbers=np.multiply)
_arithmetic("div", **_AFFINE, undoes="mul", scales=True, on_numbers=np.divide)
_arithmetic("maximum minimum", is_arithmetic=True, is_commutative=True)
_arithmetic("pow", on_numbers=np.power)
_arithmetic("floor_divide remainder fmod atan2 squared_difference hypot logaddexp logaddexp2 copysign nextafter")
_arithmetic("fmax fmin gcd lcm heaviside xlogy float_power ldexp")
_arithmetic("bitwise_and bitwise_or bitwise_xor left_shift right_shift")
_arithmetic("eq ne gt ge lt le and or xor isclose")
_pointwise("where masked_fill", "choices", arity=(1, 3))
_arithmetic("div_no_nan complex")
_pointwise("round", "functions of one tensor", "", Attribute("decimals"))
_pointwise("nan_to_num", "functions of one tensor", "", _bound("nan"), _bound("posinf"), _bound("neginf"))
_pointwise("bitcast", "functions of one tensor", "", Attribute("type"))
