"""Sets on the PyTorch model what can be set to make it compute what the Keras model computes.

A hyper-parameter that is an attribute of a module is set. What no attribute holds (padding that is asymmetric, a
value that is written in a `forward`) is done by computing that one function call in another way, so that the keys
of the state dict stay. Afterwards the model is read again: what it cannot run with, or what had no effect, is taken
back and left, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import fx, nn

from autoport.comparison.differences import Difference, attribute_differences, edge_operations
from autoport.errors import TraceError
from autoport.facts.places import Place
from autoport.graph import Op
from autoport.pytorch.recording.where import shown
from autoport.pytorch.table import bare_name
from autoport.verify.explaining.mends import folded, less, mend, nodes_of
from autoport.verify.running.patches import Call, Patch

if TYPE_CHECKING:
    from autoport.analysis import Analysis

Reread = Callable[[], Sequence[Difference]]
SHARED = "the module is called elsewhere, too, where it needs another value"
# Differences that change the sizes of what follows.
SIZES = {"stride", "dilation", "padding"}


@dataclass
class Change:
    """One thing that was set.

    Attributes:
        at: path of the module, and its attribute or function.
        differences: what it makes equal.
        text: what was done, for people.
        code: the same in Python, to a model called `model`.
        undo: takes it back.
        classes: what of `autoport.verify.running.patches` the code uses.
    """

    at: tuple[str, str]
    differences: tuple[Difference, ...]
    text: str
    code: str
    undo: Callable[[], Any]
    classes: tuple[str, ...] = ()


@dataclass
class Reconciliation:
    """What was set, and how to take it back.

    Attributes:
        changes: what was set.
        left: differences that remain, each with the reason.
    """

    changes: list[Change] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def done(self) -> list[str]:
        """What was set, one line each."""
        return [change.text for change in self.changes]

    @property
    def patch(self) -> str:
        """Python that does the same to another instance, called `model`."""
        used = sorted({name for change in self.changes for name in change.classes})
        lines = ["from math import inf"] if self.changes else []
        lines += [f"from autoport.verify.running.patches import {', '.join(used)}"] if used else []
        return "".join(f"{line}\n" for line in [*lines, *(change.code for change in self.changes)])

    def undo(self) -> None:
        """Takes everything back."""
        while self.changes:
            self.changes.pop().undo()

    def __str__(self) -> str:
        return "\n".join([*(f"set: {text}" for text in self.done), *(f"left: {text}" for text in self.left)])


@dataclass
class _Place:
    """A call in the PyTorch model with all that is to be set there."""

    op: Op
    node: fx.Node | None
    path: str
    values: dict[str, Any] = field(default_factory=dict)
    differences: dict[str, Difference] = field(default_factory=dict)


def reconcile(analysis: Analysis, model: nn.Module, reread: Reread) -> Reconciliation:
    """Sets on a model what can be set; see `Match.reconcile`.

    Args:
        analysis: of the model as it is.
        model: the module.
        reread: reads the model again; gives the differences that remain.
    """
    result = Reconciliation()
    places = _places(analysis)
    for place in places:
        _reconcile_place(result, model, place)
    _check(result, reread)
    located = {difference for place in places for difference in place.differences.values()}
    result.left += [str(difference) for difference in analysis.differences if difference not in located]
    return result


def _places(analysis: Analysis) -> list[_Place]:
    """Operations of which hyper-parameters disagree."""
    found: dict[tuple[str, fx.Node | None], _Place] = {}
    for a, b, difference in _located(analysis):
        for node in nodes_of(analysis.graphs.torch, b) or (None,):
            path = node.meta["nn_module_stack"][-1][0] if node is not None else b.path
            place = found.setdefault((b.name, node), _Place(b, node, path))
            place.values.setdefault(difference.name, a.parameter(difference.name))
            place.differences.setdefault(difference.name, difference)
    return list(found.values())


def _located(analysis: Analysis) -> Iterator[tuple[Op, Op, Difference]]:
    """Hyper-parameters that disagree, with the operations that have them."""
    matching = analysis.matching
    for node, partner in matching.partner.items():
        a, b = matching.left.op(node), matching.right.op(partner)
        pairs = [(a, b)] if a is not None and b is not None else []
        for first, second in (*pairs, *edge_operations(matching, node)):
            for difference in attribute_differences(first, second):
                yield first, second, difference


def _reconcile_place(result: Reconciliation, model: nn.Module, place: _Place) -> None:
    """Attributes of the module first, then the rest in its forward."""
    module = model.get_submodule(place.path)
    rest = {}
    for name, value in place.values.items():
        wanted = _as_attribute(module, place, name, value)
        if wanted is None:
            rest[name] = value
        elif getattr(module, _member(place, name)) == wanted:
            continue
        elif (place.path, _member(place, name)) in {change.at for change in result.changes}:
            result.left.append(f"{place.differences[name]} ({SHARED})")
        else:
            result.changes.append(_set(module, place, name, wanted))
    if rest:
        _compute_otherwise(result, model, place, rest)


def _member(place: _Place, name: str) -> str:
    """What a module calls a hyper-parameter; empty if it has none."""
    return place.op.kind.attribute(name).member or ""


def _as_attribute(module: nn.Module, place: _Place, name: str, value: Any) -> Any:
    """What the module's attribute has to be; None if no attribute can express it."""
    before = getattr(module, _member(place, name), None)
    if before is None or value is None or (name == "padding" and "kernel_size" not in place.op.attrs):
        return None
    if name == "padding":
        pads = value if place.node is None else less(value, folded(place.node, place.op))
        value = tuple(low for low, _ in pads)
        if place.op.attrs.get("transposed") or any(low != high or low < 0 for low, high in pads):
            return None
    if isinstance(value, (tuple, list)) and not isinstance(before, (tuple, list)):
        return value[0] if len(set(value)) == 1 else tuple(value)
    return type(before)(value) if isinstance(before, tuple) else value


def _set(module: nn.Module, place: _Place, name: str, value: Any) -> Change:
    path, attribute = place.path, _member(place, name)
    before = getattr(module, attribute)
    setattr(module, attribute, value)
    return Change(
        (path, attribute),
        (place.differences[name],),
        f"{path}.{attribute} = {value!r} (was {before!r})",
        f"model.get_submodule({path!r}).{attribute} = {value!r}",
        lambda: setattr(module, attribute, before),
    )


def _compute_otherwise(result: Reconciliation, model: nn.Module, place: _Place, values: dict[str, Any]) -> None:
    """Replaces one call in the forward of a module."""
    differences = tuple(place.differences[name] for name in values)
    known = place.node is not None and None not in values.values()
    patch = mend(place.node, place.op, place.values) if known and place.node is not None else None
    if patch is None or place.node is None:
        result.left += [f"{difference} ({_written(place)})" for difference in differences]
        return
    result.changes.append(_call(model, place, place.node, patch, differences))


def _written(place: _Place) -> str:
    where = place.node.meta.get("where") if place.node is not None else None
    return "there is nothing to set" + (f"; it is computed in {shown(where)}" if where else "")


def _call(model: nn.Module, place: _Place, node: fx.Node, patch: Patch, differences: tuple[Difference, ...]) -> Change:
    path, function = place.path, bare_name(node.target)
    within = [
        other
        for other in node.graph.nodes
        if other.op == "call_function"
        and bare_name(other.target) == function
        and any(path == above for above, _ in other.meta.get("nn_module_stack", ()))
    ]
    number = within.index(node)
    module = model.get_submodule(path)
    call = Call(module, function, number, patch)
    where = shown(node.meta["where"])
    return Change(
        (path, function),
        differences,
        f"{path or 'the model'}: {function} in {where} is computed with {_described(patch)}",
        f"Call(model.get_submodule({path!r}), {function!r}, {number}, {patch})  # {where}",
        lambda: call.remove(module),
        ("Call", type(patch).__name__),
    )


def _described(patch: Patch) -> str:
    values = vars(patch).get("values", vars(patch))
    return ", ".join(f"{name} = {value!r}" for name, value in values.items())


def _check(result: Reconciliation, reread: Reread) -> None:
    """Reads the model again, and takes back what it cannot run with or what had no effect."""
    try:
        remaining = _places_that_differ(reread)
    except TraceError as failure:
        reason = str(failure).splitlines()[0]
        _take_back(result, lambda difference: difference.name in SIZES, f"the model does not run with it: {reason}")
        remaining = _places_that_differ(reread)
    _take_back(result, lambda difference: _where(difference) in remaining, "it was set without effect")


def _places_that_differ(reread: Reread) -> set[tuple[str, Place, Place]]:
    return set(map(_where, reread()))


def _where(difference: Difference) -> tuple[str, Place, Place]:
    return difference.name, difference.tf, difference.torch


def _take_back(result: Reconciliation, wrong: Callable[[Difference], bool], reason: str) -> None:
    """Undoes changes, the last first, so that several at one place come off in order."""
    for change in reversed(result.changes):
        if any(map(wrong, change.differences)):
            change.undo()
            result.left += [f"{difference} ({reason})" for difference in change.differences]
            result.changes.remove(change)
