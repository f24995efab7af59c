"""Changes hyper-parameters of the PyTorch model so that it computes what the Keras model computes.

A hyper-parameter that is an attribute of a module is set. Where no attribute holds it (asymmetric padding, a value
written in a `forward`), that one function call is computed in another way, so the keys of the `state_dict` stay.
Afterwards the model is read again. A change with which it does not run, or that has no effect, is taken back and listed
as left, with the reason.
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
from autoport.pytorch.recording.where import describe
from autoport.pytorch.table import bare_name
from autoport.verify.explaining.mends import mend, nodes_of, separate_padding, subtract_padding
from autoport.verify.running.patches import Patch, PatchedCall

if TYPE_CHECKING:
    from autoport.analysis import Analysis

Reread = Callable[[], Sequence[Difference]]
SHARED = "the module is called elsewhere, too, where it needs another value"
# Hyper-parameters that change the shape of the result.
SIZES = {"stride", "dilation", "padding"}


@dataclass
class Change:
    """One change to the model.

    Attributes:
        at: path of the module, and its attribute or function.
        differences: the differences that it removes.
        text: the change in words.
        code: the same in Python, for a model called `model`.
        undo: takes it back.
        classes: the classes of `autoport.verify.running.patches` in the code.
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
class _CallSite:
    """One call in the PyTorch model, with the values that it should have."""

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
    sites = _call_sites(analysis)
    for site in sites:
        _reconcile_site(result, model, site)
    _check(result, reread)
    located = {difference for site in sites for difference in site.differences.values()}
    result.left += [str(difference) for difference in analysis.differences if difference not in located]
    return result


def _call_sites(analysis: Analysis) -> list[_CallSite]:
    """Calls whose hyper-parameters disagree."""
    sites: dict[tuple[str, fx.Node | None], _CallSite] = {}
    for a, b, difference in _located_differences(analysis):
        for node in nodes_of(analysis.graphs.torch, b) or (None,):
            path = node.meta["nn_module_stack"][-1][0] if node is not None else b.path
            site = sites.setdefault((b.name, node), _CallSite(b, node, path))
            site.values.setdefault(difference.name, a.parameter(difference.name))
            site.differences.setdefault(difference.name, difference)
    return list(sites.values())


def _located_differences(analysis: Analysis) -> Iterator[tuple[Op, Op, Difference]]:
    """The operations of which a hyper-parameter disagrees, with the difference."""
    matching = analysis.matching
    for node, partner in matching.partner.items():
        a, b = matching.left.op(node), matching.right.op(partner)
        pairs = [(a, b)] if a is not None and b is not None else []
        for first, second in (*pairs, *edge_operations(matching, node)):
            for difference in attribute_differences(first, second):
                yield first, second, difference


def _reconcile_site(result: Reconciliation, model: nn.Module, site: _CallSite) -> None:
    """Sets attributes of the module first, then patches the call for the rest."""
    module = model.get_submodule(site.path)
    rest = {}
    for name, value in site.values.items():
        wanted = _as_attribute(module, site, name, value)
        if wanted is None:
            rest[name] = value
        elif getattr(module, _member(site, name)) == wanted:
            continue
        elif (site.path, _member(site, name)) in {change.at for change in result.changes}:
            result.left.append(f"{site.differences[name]} ({SHARED})")
        else:
            result.changes.append(_set(module, site, name, wanted))
    if rest:
        _compute_otherwise(result, model, site, rest)


def _member(site: _CallSite, name: str) -> str:
    """What a module calls a hyper-parameter; empty if it has none."""
    return site.op.kind.attribute(name).member or ""


def _as_attribute(module: nn.Module, site: _CallSite, name: str, value: Any) -> Any:
    """The value for the module's attribute; None if no attribute can express it."""
    before = getattr(module, _member(site, name), None)
    if before is None or value is None or (name == "padding" and "kernel_size" not in site.op.attrs):
        return None
    if name == "padding":
        pads = value if site.node is None else subtract_padding(value, separate_padding(site.node, site.op))
        value = tuple(low for low, _ in pads)
        if site.op.attrs.get("transposed") or any(low != high or low < 0 for low, high in pads):
            return None
    if isinstance(value, (tuple, list)) and not isinstance(before, (tuple, list)):
        return value[0] if len(set(value)) == 1 else tuple(value)
    return type(before)(value) if isinstance(before, tuple) else value


def _set(module: nn.Module, site: _CallSite, name: str, value: Any) -> Change:
    path, attribute = site.path, _member(site, name)
    before = getattr(module, attribute)
    setattr(module, attribute, value)
    return Change(
        (path, attribute),
        (site.differences[name],),
        f"{path}.{attribute} = {value!r} (was {before!r})",
        f"model.get_submodule({path!r}).{attribute} = {value!r}",
        lambda: setattr(module, attribute, before),
    )


def _compute_otherwise(result: Reconciliation, model: nn.Module, site: _CallSite, values: dict[str, Any]) -> None:
    """Replaces one call in the forward of a module."""
    differences = tuple(site.differences[name] for name in values)
    complete = None not in values.values()
    patch = mend(site.node, site.op, site.values) if complete and site.node is not None else None
    if patch is None or site.node is None:
        result.left += [f"{difference} ({_why_left(site)})" for difference in differences]
        return
    result.changes.append(_patch_call(model, site, site.node, patch, differences))


def _why_left(site: _CallSite) -> str:
    where = site.node.meta.get("where") if site.node is not None else None
    return "no attribute or argument sets it" + (f"; it is computed in {describe(where)}" if where else "")


def _patch_call(
    model: nn.Module, site: _CallSite, node: fx.Node, patch: Patch, differences: tuple[Difference, ...]
) -> Change:
    path, function = site.path, bare_name(node.target)
    within = [
        other
        for other in node.graph.nodes
        if other.op == "call_function"
        and bare_name(other.target) == function
        and any(path == above for above, _ in other.meta.get("nn_module_stack", ()))
    ]
    number = within.index(node)
    module = model.get_submodule(path)
    call = PatchedCall(module, function, number, patch)
    where = describe(node.meta["where"])
    return Change(
        (path, function),
        differences,
        f"{path or 'the model'}: {function} in {where} is computed with {_describe_patch(patch)}",
        f"PatchedCall(model.get_submodule({path!r}), {function!r}, {number}, {patch})  # {where}",
        lambda: call.remove(module),
        ("PatchedCall", type(patch).__name__),
    )


def _describe_patch(patch: Patch) -> str:
    values = vars(patch).get("values", vars(patch))
    return ", ".join(f"{name} = {value!r}" for name, value in values.items())


def _check(result: Reconciliation, reread: Reread) -> None:
    """Reads the model again; takes back what it does not run with, and what has no effect."""
    try:
        remaining = _places_that_differ(reread)
    except TraceError as failure:
        reason = str(failure).splitlines()[0]
        _take_back(result, lambda difference: difference.name in SIZES, f"the model fails with it: {reason}")
        remaining = _places_that_differ(reread)
    _take_back(result, lambda difference: _location(difference) in remaining, "setting it has no effect")


def _places_that_differ(reread: Reread) -> set[tuple[str, Place, Place]]:
    return set(map(_location, reread()))


def _location(difference: Difference) -> tuple[str, Place, Place]:
    return difference.name, difference.tf, difference.torch


def _take_back(result: Reconciliation, wrong: Callable[[Difference], bool], reason: str) -> None:
    """Undoes changes, the last one first: several at one place must come off in that order."""
    for change in reversed(result.changes):
        if any(map(wrong, change.differences)):
            change.undo()
            result.left += [f"{difference} ({reason})" for difference in change.differences]
            result.changes.remove(change)
