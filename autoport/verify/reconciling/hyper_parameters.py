"""Ways to give a call other hyper-parameters.

An attribute of a module is set: the one that PyTorch's own modules have, or any that holds the number that the recorded
call was given. Where none holds it, the call is computed otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import fx, nn

from autoport.graph import Graph
from autoport.pytorch.table import bare_name
from autoport.verify.explaining.mends import mend, separate_padding, subtract_padding
from autoport.verify.reconciling.activations import compute_at_once
from autoport.verify.reconciling.changes import Change, Patching, Setting
from autoport.verify.reconciling.regions import call_number, call_region, where
from autoport.verify.reconciling.sites import Call, Site, Ways
from autoport.verify.running.patches import Arguments, Patch

# How deep objects inside of a module are looked into: a config in a config.
DEPTH = 2


def site_of_call(model: nn.Module, graph: Graph, call: Call) -> Site:
    """A call as a site."""
    site = Site(list(call.differences.values()), iter(()), call.why)
    settings = {name: iter(list(_settings(model, call, name))) for name in call.values}
    site.ways = _ways(model, graph, call, site, settings)
    return site


def _ways(model: nn.Module, graph: Graph, call: Call, site: Site, queues: Mapping[str, Iterator[Setting]]) -> Ways:
    """Settings first, a patch for the rest; where a setting changes nothing, the next one."""
    patched = False
    while True:
        names = [difference.name for difference in site.open]
        settings = {name: next(queues[name], None) for name in names}
        changes: list[Change] = [setting for setting in settings.values() if setting is not None]
        rest = [name for name in names if settings[name] is None and not call.differences[name].training_only]
        if rest and not patched:
            patched = True
            changes += _patches(model, graph, call, rest)
        if not changes:
            return
        yield changes


def _settings(model: nn.Module, call: Call, name: str) -> Iterator[Setting]:
    """Attributes that may hold a hyper-parameter."""
    module, difference = model.get_submodule(call.path), call.differences[name]
    member = call.op.kind.attribute(name).member or ""
    wanted = _as_attribute(module, call, name, call.values[name])
    if wanted is not None:
        yield Setting(model, call.path, [difference], wanted, member)
    number, value = call.op.attrs.get(name), call.values[name]
    if call.node is None or difference.training_only or not (isinstance(number, float) and isinstance(value, float)):
        return
    seen: set[int] = set()
    for path, _ in reversed(call.node.meta["nn_module_stack"]):
        for holder, attribute in _holding(model.get_submodule(path), number, seen):
            if (path, holder, attribute) != (call.path, "", member):
                yield Setting(model, path, [difference], value, attribute, holder, by_value=True)


def _holding(owner: Any, number: float, seen: set[int], path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Attributes that hold a number, with the path of their object: of a module first, then of what it holds."""
    seen.add(id(owner))
    attributes = vars(owner)
    yield from [
        (".".join(path), name) for name, value in attributes.items() if type(value) is float and value == number
    ]
    for name, value in attributes.items() if len(path) < DEPTH else ():
        plain = hasattr(value, "__dict__") and not isinstance(value, (nn.Module, type)) and not callable(value)
        if plain and id(value) not in seen:
            yield from _holding(value, number, seen, (*path, name))


def _as_attribute(module: nn.Module, call: Call, name: str, value: Any) -> Any:
    """The value for the module's attribute; None if no attribute can express it."""
    before = getattr(module, call.op.kind.attribute(name).member or "", None)
    if before is None or value is None or (name == "padding" and "kernel_size" not in call.op.attrs):
        return None
    if name == "padding":
        pads = value if call.node is None else subtract_padding(value, separate_padding(call.node, call.op))
        value = tuple(low for low, _ in pads)
        if call.op.attrs.get("transposed") or any(low != high or low < 0 for low, high in pads):
            return None
    if isinstance(value, (tuple, list)) and not isinstance(before, (tuple, list)):
        return value[0] if len(set(value)) == 1 else tuple(value)
    return type(before)(value) if isinstance(before, tuple) else value


def _patches(model: nn.Module, graph: Graph, call: Call, names: list[str]) -> Iterator[Change]:
    """One call computed otherwise."""
    values = {name: value for name, value in call.values.items() if not call.differences[name].training_only}
    if call.node is None or None in values.values():
        return
    differences = [call.differences[name] for name in names]
    patch = mend(call.node, call.op, values)
    if patch is not None:
        yield patching(model, call.node, patch, differences)
    elif call.op.kind.is_activation:
        region = call_region(graph, call.node, {call.op.name})
        yield from compute_at_once(model, region, call.op.kind, {**call.op.attrs, **values}, differences)
    else:
        yield from _other_numbers(model, graph, call, values, names)


def _other_numbers(
    model: nn.Module, graph: Graph, call: Call, values: Mapping[str, Any], names: list[str]
) -> Iterator[Change]:
    """The calls to which the numbers are given, of those that the operation is written out in."""
    if call.node is None:
        return
    region = call_region(graph, call.node, {call.op.name})
    for name in names:
        places = region.literals(call.op.attrs.get(name))
        if len(places) == 1:
            ((node, key),) = places
            yield patching(model, node, Arguments({key: values[name]}), [call.differences[name]])


def patching(model: nn.Module, node: fx.Node, patch: Patch, differences: list[Any]) -> Patching:
    """One call in the forward of its module, computed otherwise."""
    path = node.meta["nn_module_stack"][-1][0]
    return Patching(model, path, differences, patch, bare_name(node.target), call_number(node, path), where(node))
