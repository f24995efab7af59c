"""What a PyTorch model does with its inputs before any weight comes in, from its recorded graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import fx

from autoport.internals.pytorch import is_fake, tree_leaves
from autoport.pytorch.read import TorchReading
from autoport.verify.running.feed import torch_feed
from autoport.verify.running.inputs.reads import Comparison, Lookup, Reach, Reads
from autoport.verify.running.replay import Replay
from autoport.weights.algebra import Array

# Functions whose result depends on shapes only.
OF_SHAPES = {"zeros_like", "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_full", "new_empty"}
# Functions that read a table and an index.
GATHERS = {"embedding", "embedding_bag", "index_select", "__getitem__", "take"}
SIGNS = {"sign", "sgn"}


def torch_reads(reading: TorchReading) -> Reads:
    """What a PyTorch model does with its inputs before any weight comes in.

    What meets weights is not told: composite functions take both, whatever they do with them.
    """
    recorded = reading.recorded
    reaches = _reaches(reading)
    calls = [node for node in recorded.graph.nodes if node.op == "call_function"]
    lookups = [look for node in calls for look in _lookups(node, reaches)]
    comparisons = [test for node in calls for test in _comparisons(node, reaches, recorded)]

    def compute(arrays: Sequence[Array], keys: Sequence[Any]) -> list[Array]:
        values: dict[fx.Node, Array] = {}
        part, origins = _part(recorded, keys)

        def watch(node: fx.Node, result: Any) -> Any:
            if origins.get(node) in keys:
                values[origins[node]] = result.numpy().copy()
            return result

        Replay(part, watch).run(*torch_feed(reading, arrays))
        return [values[key] for key in keys]

    return Reads(compute, lookups, comparisons, set())


def _reaches(reading: TorchReading) -> Mapping[fx.Node, Reach]:
    """What each value depends on."""
    places = iter(place for place, _ in reading.names)
    reaches: dict[fx.Node, Reach] = {}
    for node in reading.recorded.graph.nodes:
        if node.op == "placeholder":
            place = next(places)
            reaches[node] = Reach(weighted=True) if place is None else Reach(frozenset({place}))
        elif node.op == "get_attr":
            stored = node.meta["path"] is not None and node.meta["tensor_meta"].dtype.is_floating_point
            reaches[node] = Reach(weighted=stored)
        else:
            reaches[node] = (
                Reach() if _name(node) in OF_SHAPES else Reach.of([reaches[n] for n in node.all_input_nodes])
            )
    return reaches


def _name(node: fx.Node) -> str:
    return str(getattr(node.target, "__name__", node.target))


def _lookups(node: fx.Node, reaches: Mapping[fx.Node, Reach]) -> Iterator[Lookup]:
    """The choice of rows that a function makes, if it makes one."""
    if _name(node) == "one_hot":
        index, classes = node.args[0], _argument(node, 1, "num_classes", -1)
        if isinstance(index, fx.Node) and reaches[index].is_trial and classes > 0:
            yield Lookup(index, classes, reaches[index].inputs)
    if _name(node) not in GATHERS or len(node.all_input_nodes) != 2:
        return
    dim = _argument(node, 1, "dim", 0) if _name(node) == "index_select" else 0
    first, second = node.all_input_nodes
    for table, index in ((first, second), (second, first)):
        shape = getattr(table.meta["tensor_meta"], "shape", ())
        if (
            shape
            and reaches[index].is_trial
            and not reaches[table].inputs
            and not getattr(_dtype(index), "is_floating_point", True)
        ):
            yield Lookup(index, shape[dim], reaches[index].inputs)


def _argument(node: fx.Node, place: int, name: str, default: int) -> int:
    value = node.args[place] if len(node.args) > place else node.kwargs.get(name, default)
    return value if isinstance(value, int) else default


def _dtype(node: fx.Node) -> Any:
    return getattr(node.meta.get("tensor_meta"), "dtype", None)


def _comparisons(node: fx.Node, reaches: Mapping[fx.Node, Reach], recorded: fx.GraphModule) -> Iterator[Comparison]:
    """A function that makes truths, or signs, of one input alone."""
    reach = reaches[node]
    if not reach.is_trial or len(reach.inputs) != 1:
        return
    read = [_dtype(operand) for operand in node.all_input_nodes if reaches[operand].inputs]
    makes_truths = _dtype(node) == torch.bool and any(dtype not in (None, torch.bool) for dtype in read)
    if makes_truths or _name(node) in SIGNS:
        yield Comparison(node, min(reach.inputs), (*_numbers(node, recorded), 0.0))


def _numbers(node: fx.Node, recorded: fx.GraphModule) -> Iterator[float]:
    """Numbers that a function is called with, as they are or in a tensor."""
    for argument in tree_leaves((node.args, dict(node.kwargs))):
        if isinstance(argument, fx.Node) and argument.op == "get_attr":
            tensor = getattr(recorded, str(argument.target), None)
            if isinstance(tensor, torch.Tensor) and tensor.numel() == 1 and not (tensor.is_meta or is_fake(tensor)):
                yield float(tensor)
        elif isinstance(argument, (int, float)) and not isinstance(argument, bool):
            yield float(argument)


def _part(recorded: fx.GraphModule, keys: Sequence[fx.Node]) -> tuple[fx.GraphModule, dict[fx.Node, fx.Node]]:
    """The part of a graph that makes certain values, and which node each of its nodes is."""
    needed = set(keys)
    for node in reversed(recorded.graph.nodes):
        needed |= set(node.all_input_nodes) if node in needed else set()
    graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in recorded.graph.nodes:
        if node in needed or node.op == "placeholder":
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(None)
    return fx.GraphModule(recorded, graph), {copy: node for node, copy in copies.items()}
