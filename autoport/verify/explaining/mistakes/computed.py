"""One value computed from the other: rounded, as probabilities, times a number; or no number at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch

from autoport.facts.framework import Framework
from autoport.facts.reasons import Code, Reason
from autoport.verify.explaining.mistakes.values import ROUNDING_OF_SUMS, Values
from autoport.verify.verification import Cause

Function = Callable[[torch.Tensor], torch.Tensor]
# Numbers that a line is laid through, at least: through two of them there always is one.
FEWEST = 4
# The axis along which nothing has numbers of its own.
BATCH = "n"
CASTS: dict[str, Function] = {
    "cut to whole numbers": torch.trunc,
    "rounded to whole numbers": torch.round,
    "rounded down": torch.floor,
    "rounded up": torch.ceil,
    "cast to bool": lambda x: (x != 0).double(),
    "rounded to float32": lambda x: x.to(torch.float32).double(),
    "rounded to float16": lambda x: x.to(torch.float16).double(),
    "rounded to bfloat16": lambda x: x.to(torch.bfloat16).double(),
}
ALONG_AN_AXIS: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "softmax": torch.softmax,
    "log_softmax": torch.log_softmax,
}
POINTWISE: dict[str, tuple[str, Function]] = {
    "sigmoid": ("activation", torch.sigmoid),
    "log": ("softmax", torch.log),
}


def not_finite(values: Values) -> Cause | None:
    """Whether one side holds NaN, or an infinity, where the other does not."""
    if not values.same_shape:
        return None
    bad = {Framework.TF: ~values.expected.isfinite(), Framework.TORCH: ~values.actual.isfinite()}
    reasons = []
    for side, places in bad.items():
        only = int((places & ~bad[side.other]).sum())
        if only:
            reasons.append(Reason.of(Code.NOT_FINITE, number=only, total=places.numel(), side=_title(side)))
    return Cause("NaN", reasons=tuple(reasons), confirmed=True) if reasons else None


def _title(side: Framework) -> str:
    return {Framework.TF: "Keras", Framework.TORCH: "PyTorch"}[side]


def cast(values: Values) -> Cause | None:
    """Whether one value is the other, rounded to another type."""
    return next(_functions(values, {name: ("missing cast", function) for name, function in CASTS.items()}), None)


def probabilities(values: Values) -> Cause | None:
    """Whether one side holds probabilities, the other the logits."""
    along = {
        f"{name} along axis {values.axis(axis)}": ("softmax", lambda x, f=function, d=axis: f(x, d))
        for name, function in ALONG_AN_AXIS.items()
        for axis in range(values.expected.ndim)
    }
    return next(_functions(values, {**along, **POINTWISE}), None)


def _functions(values: Values, functions: dict[str, tuple[str, Function]]) -> Iterator[Cause]:
    """Functions of one side that give the other."""
    if not values.same_shape:
        return
    for side, given in ((Framework.TORCH, values), (Framework.TF, values.exchanged)):
        for said, (name, function) in functions.items():
            if given.agree(function(given.expected)):
                reason = Reason.of(Code.FUNCTION_OF, side=_title(side), other=_title(side.other), function=said)
                yield Cause(name, reasons=(reason,), confirmed=True)


def scaled(values: Values) -> Cause | None:
    """Whether PyTorch's value is the Keras value times a number, plus a number."""
    if not values.same_shape or values.expected.numel() < FEWEST:
        return None
    factor, offset = (float(number) for number in _line(values.expected.flatten(), values.actual.flatten()))
    if not math.isfinite(factor) or not factor or not values.agree(values.expected * factor + offset):
        return None
    factor, offset = _simple(factor, offset, values)
    name = "sign" if (factor, offset) == (-1.0, 0.0) else "shift" if factor == 1.0 else "scale"
    code = Code.MULTIPLE if not offset else Code.MULTIPLE_AND_MORE
    operands = {"factor": factor} | ({"offset": offset} if offset else {})
    return _affine(name, Reason.of(code, **operands), values)


def scaled_by_channel(values: Values) -> Cause | None:
    """Whether every position of an axis is the Keras one times a number of its own, plus a number."""
    for axis, size in enumerate(values.actual.shape if values.same_shape else ()):
        if values.actual.numel() < FEWEST * size or values.axis(axis) == BATCH:
            continue
        expected, actual = (x.movedim(axis, 0).flatten(1) for x in (values.expected, values.actual))
        factor, offset = _line(expected, actual)
        if (
            bool(factor.isfinite().all())
            and bool((factor != 0).all())
            and values.agree(expected * factor + offset, actual)
        ):
            shifts = bool(((factor - 1).abs() <= ROUNDING_OF_SUMS).all())
            return _affine(
                "shift" if shifts else "scale", Reason.of(Code.MULTIPLE_BY_CHANNEL, axis=values.axis(axis)), values
            )
    return None


def _line(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The factor and the offset that lead from one to the other best."""
    centre, middle = x.mean(-1, keepdim=True), y.mean(-1, keepdim=True)
    centred = x - centre
    factor = (centred * (y - middle)).sum(-1, keepdim=True) / centred.square().sum(-1, keepdim=True)
    return factor, middle - factor * centre


def _simple(factor: float, offset: float, values: Values) -> tuple[float, float]:
    """The same without what is rounding: an offset of nothing, a factor of one."""
    spread = float(values.actual.std(correction=0))
    near = round(factor, 6)
    factor = near if abs(near - factor) <= values.tolerance * abs(factor) else factor
    return factor, offset if abs(offset) > values.tolerance * spread else 0.0


def _affine(name: str, reason: Reason, values: Values) -> Cause:
    return Cause("preprocessing" if values.reads_input else name, reasons=(reason,), confirmed=True)
