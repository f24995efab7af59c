"""The recorded calls that compute one operation of the graph: a normalisation that is written out is several."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from torch import fx

from autoport.graph import Graph, Value
from autoport.pytorch.recording.where import describe
from autoport.pytorch.table import bare_name

ITEM = "_getitem"


@dataclass
class CallRegion:
    """Calls, and the values that they are computed from.

    Attributes:
        last: the call that makes the result.
        calls: all of them, the last one first.
        entries: the nodes that they read.
    """

    last: fx.Node
    calls: list[fx.Node]
    entries: list[fx.Node]

    def literals(self, value: Any) -> list[tuple[fx.Node, int | str]]:
        """Arguments that are a number: the call, and the place or the name of the argument."""
        return [(call, key) for call in self.calls for key, argument in _arguments(call) if _is(argument, value)]

    def readers(self) -> list[tuple[fx.Node, int]]:
        """Arguments that are the only entry: the call, and the place of the argument; empty if there are several."""
        if len(self.entries) != 1:
            return []
        (entry,) = self.entries
        places = ((call, [*call.args, *call.kwargs.values()]) for call in reversed(self.calls))
        return [(call, arguments.index(entry)) for call, arguments in places if entry in arguments]


def call_region(graph: Graph, last: fx.Node, names: Collection[str]) -> CallRegion:
    """The calls behind operations of the graph.

    Args:
        graph: the graph of the PyTorch model.
        last: the call that makes their result.
        names: the operations; what other operations make is an entry.
    """
    outside = {node for value, (node, _) in graph.origins.items() if value.op in graph and value.op not in names}
    calls, entries, waiting = [last], [], list(last.all_input_nodes)
    while waiting:
        node = waiting.pop()
        if node in calls or node in entries or node.op == "get_attr":
            continue
        if node.op != "call_function" or node in outside or bare_name(node.target) == ITEM:
            entries.append(node)
        else:
            calls.append(node)
            waiting += node.all_input_nodes
    order = {node: place for place, node in enumerate(last.graph.nodes)}
    return CallRegion(last, sorted(calls, key=order.__getitem__, reverse=True), entries)


def origin(graph: Graph, value: Value) -> fx.Node | None:
    """The call that makes a value, if the value is all of its result."""
    node, place = graph.origins.get(value, (None, None))
    return node if node is not None and place is None and node.op == "call_function" else None


def module_path(nodes: Collection[fx.Node]) -> str:
    """The innermost module in which all these calls are."""
    stacks = [[path for path, _ in node.meta["nn_module_stack"]] for node in nodes]
    common = [paths[0] for paths in zip(*stacks, strict=False) if len(set(paths)) == 1]
    return str(common[-1]) if common else ""


def call_number(node: fx.Node, path: str) -> int:
    """Which call of its function a call is, of those that a module makes."""
    function = bare_name(node.target)
    within = [
        other
        for other in node.graph.nodes
        if other.op == "call_function"
        and bare_name(other.target) == function
        and any(path == above for above, _ in other.meta.get("nn_module_stack", ()))
    ]
    return within.index(node)


def where(node: fx.Node) -> str:
    """File and line of a call."""
    place = node.meta.get("where")
    return describe(place) if place else ""


def _arguments(call: fx.Node) -> Iterator[tuple[int | str, Any]]:
    yield from enumerate(call.args)
    yield from call.kwargs.items()


def _is(argument: Any, value: Any) -> bool:
    return isinstance(argument, float) and argument == value
