"""Sets on the PyTorch model what can be set to make it compute what the Keras model computes.

A hyper-parameter that is an attribute of a module is set. Padding that PyTorch's modules cannot express,
because it is asymmetric, is done by a hook in front of the module, so that the keys of the state dict stay.
What is written in a `forward` cannot be set and is left, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import nn

from autoport.differences import Difference, attribute_differences, edge_operations
from autoport.graph import Op

if TYPE_CHECKING:
    from autoport.result import Match

# Attribute of an operation -> attribute of the module.
ATTRIBUTES = {
    "epsilon": "eps",
    "momentum": "momentum",
    "negative_slope": "negative_slope",
    "approximate": "approximate",
    "alpha": "alpha",
    "count_include_pad": "count_include_pad",
    "stride": "stride",
    "dilation": "dilation",
    "align_corners": "align_corners",
}
BLANK = {"conv": 0.0, "dense": 0.0, "max_pool": float("-inf")}
Undo = Callable[[], Any]


class Pad:
    """A hook that pads what a module is given."""

    def __init__(self, pads: Sequence[int], value: float) -> None:
        self.pads, self.value = list(pads), value

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Pads the first argument."""
        return (F.pad(args[0], self.pads, value=self.value), *args[1:])


@dataclass
class Reconciliation:
    """What was set, and how to take it back.

    Attributes:
        done: what was set, one line each.
        left: differences that remain, each with the reason.
        patch: Python that does the same to another instance, called `model`.
    """

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    patch: str = ""
    _undo: list[Undo] = field(default_factory=list, repr=False)

    def undo(self) -> None:
        """Takes everything back."""
        while self._undo:
            self._undo.pop()()

    def __str__(self) -> str:
        return "\n".join([*(f"set: {text}" for text in self.done), *(f"left: {text}" for text in self.left)])


def reconcile(match: Match, model: nn.Module) -> Reconciliation:
    """See `Match.reconcile`."""
    result = Reconciliation()
    lines: list[str] = []
    changed: dict[tuple[str, str], Any] = {}
    for a, b, difference in _located(match):
        reason = _obstacle(model, a, b, difference, changed)
        if reason is not None:
            result.left.append(f"{difference} ({reason})")
            continue
        if (b.path, difference.name) in changed:
            continue
        changed[b.path, difference.name] = a.attrs[difference.name]
        module = model.get_submodule(b.path)
        if difference.name == "padding":
            lines += _set_padding(result, module, a, b)
        else:
            lines += _set(result, module, b.path, ATTRIBUTES[difference.name], a.attrs[difference.name])
    located = {difference for _, _, difference in _located(match)}
    result.left += [str(difference) for difference in match.differences if difference not in located]
    imports = ["from autoport.verify.reconcile import Pad"] if any("Pad(" in line for line in lines) else []
    result.patch = "\n".join([*imports, *lines]) + "\n" if lines else ""
    return result


def _located(match: Match) -> Iterator[tuple[Op, Op, Difference]]:
    """Hyper-parameters that disagree, with the operations that have them."""
    matching = match.matching
    for node, partner in matching.partner.items():
        a, b = matching.left.op(node), matching.right.op(partner)
        pairs = [(a, b)] if a is not None and b is not None else []
        for first, second in (*pairs, *edge_operations(matching, node)):
            for difference in attribute_differences(first, second):
                yield first, second, difference


def _obstacle(
    model: nn.Module, a: Op, b: Op, difference: Difference, changed: dict[tuple[str, str], Any]
) -> str | None:
    """Why a difference cannot be set; None if it can."""
    name = difference.name
    if name not in a.attrs or name not in (*ATTRIBUTES, "padding"):
        return "there is nothing to set"
    module = model.get_submodule(b.path)
    attribute = ATTRIBUTES.get(name, "padding")
    if not hasattr(module, attribute) or any(True for _ in module.children()):
        return f"it is written in the forward of {type(module).__name__}"
    if (b.path, name) in changed and changed[b.path, name] != a.attrs[name]:
        return "the module is called in several places that need different values"
    if name == "padding" and (b.kind not in BLANK or b.attrs.get("transposed")):
        return "this module cannot be padded in front"
    return None


def _set(result: Reconciliation, module: nn.Module, path: str, name: str, value: Any) -> list[str]:
    before = getattr(module, name)
    value = type(before)(value) if isinstance(before, tuple) else value
    if isinstance(value, tuple) and isinstance(before, int):
        value = value[0] if len(set(value)) == 1 else value
    setattr(module, name, value)
    result._undo.append(lambda: setattr(module, name, before))
    result.done.append(f"{path}.{name} = {value!r} (was {before!r})")
    return [f"model.get_submodule({path!r}).{name} = {value!r}"]


def _set_padding(result: Reconciliation, module: nn.Module, a: Op, b: Op) -> list[str]:
    """Padding of the module itself where it is symmetric; a hook in front of it where not."""
    own = module.padding
    rank = len(a.attrs["padding"])
    sizes = [own] * rank if isinstance(own, int) else list(own) if not isinstance(own, str) else [0] * rank
    folded = [(low - p, high - p) for (low, high), p in zip(b.attrs["padding"], sizes, strict=True)]
    if getattr(module, "ceil_mode", False):
        folded = [(0, 0)] * rank
    wanted = [(c - e, d - f) for (c, d), (e, f) in zip(a.attrs["padding"], folded, strict=True)]
    if all(low == high >= 0 for low, high in wanted):
        return _set(result, module, b.path, "padding", tuple(low for low, _ in wanted))
    flat = [amount for pair in reversed(wanted) for amount in pair]
    value = a.attrs.get("pad_value", BLANK[b.kind])
    lines = _set(result, module, b.path, "padding", type(own)([0] * rank) if isinstance(own, tuple) else 0)
    hook = module.register_forward_pre_hook(Pad(flat, value))
    result._undo.append(hook.remove)
    result.done.append(f"{b.path} is given its input padded by {flat}")
    number = "float('-inf')" if value == float("-inf") else repr(value)
    return [*lines, f"model.get_submodule({b.path!r}).register_forward_pre_hook(Pad({flat}, {number}))"]
