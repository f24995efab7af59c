"""Constants that differ by rounding: a table that one side rounded to float32 when it was made.

Models make tables of sines, of frequencies and of slopes, some in float32 and some not. Run in float64, such a model
differs from its twin behind every table, by what float32 rounded. That nothing else differs is proved by a run of
PyTorch with the numbers of the Keras graph. Which tables belong together is told by their numbers: they differ by no
more than rounding. PyTorch's are taken in the order of the computation, each computed from those that were replaced
before. So the table that was rounded is named, and not those that are made from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import fx

from autoport.facts.framework import Framework
from autoport.facts.places import Place
from autoport.keras.trace import Trace
from autoport.pytorch.table import bare_name
from autoport.verify.explaining.tables import FLOAT32, FLOAT64, Array, Table, excess
from autoport.verify.running.fixed import fixed_nodes, fixed_tensors
from autoport.verify.running.promote import PromotedGraph
from autoport.verify.running.replay import Replay, put_instead
from autoport.verify.verification import RoundedConstant

# Larger tables are not compared.
MOST_ELEMENTS = 10**7
# What a table is that was made before the graph: TensorFlow keeps small ones in the graph, and feeds others.
MADE_OUTSIDE = {"Placeholder": "constant", "Const": "constant"}


@dataclass(frozen=True)
class Replacements:
    """What PyTorch computes if it has the constants of the Keras graph.

    Attributes:
        by_constant: for each table, the PyTorch results to use instead.
    """

    by_constant: Mapping[RoundedConstant, Mapping[fx.Node, torch.Tensor]]

    @property
    def constants(self) -> tuple[RoundedConstant, ...]:
        """The tables, in the order of the computation."""
        return tuple(self.by_constant)

    @property
    def nodes(self) -> dict[fx.Node, torch.Tensor]:
        """The PyTorch results to use instead, by the node that makes them."""
        return {node: values for results in self.by_constant.values() for node, values in results.items()}

    def without(self, constant: RoundedConstant) -> Replacements:
        """All tables but one."""
        return Replacements({other: results for other, results in self.by_constant.items() if other != constant})

    def needed(self, agrees: Callable[[Mapping[fx.Node, torch.Tensor]], bool]) -> Replacements:
        """Those without which the models do not agree.

        Args:
            agrees: whether they do with other results of PyTorch nodes; it is not asked about all tables
                nor about none, with which they do and do not.
        """
        left = self
        for constant in reversed(self.constants):
            fewer = left.without(constant)
            if fewer.by_constant and agrees(fewer.nodes):
                left = fewer
        return left


def rounded_constants(
    trace: Trace,
    promoted: PromotedGraph,
    arrays: Sequence[Any],
    recorded: fx.GraphModule,
    carried: Collection[str],
) -> Replacements:
    """Finds the tables of both graphs that differ by rounding to float32; only these tables are computed.

    Args:
        trace: the Keras model as it was traced.
        promoted: its graph.
        arrays: the inputs.
        recorded: the PyTorch graph.
        carried: paths of the PyTorch tensors that hold weights of the Keras model.
    """
    tables = _keras_tables(trace, promoted, arrays)
    found: dict[RoundedConstant, dict[fx.Node, torch.Tensor]] = {}
    first: dict[int, RoundedConstant] = {}

    def watch(node: fx.Node, result: Any) -> Any:
        own = _table(result)
        closest = _closest(own, [table for _, table in tables]) if own is not None else None
        if own is None or closest is None:
            return result
        number, core = closest
        place, table = tables[number]
        constant = first.setdefault(number, _describe(place, table, node, own, core))
        values = torch.from_numpy(np.ascontiguousarray(own.with_core(core))).to(result.dtype)
        found.setdefault(constant, {})[node] = values
        return put_instead(node, result, values)

    Replay(recorded, watch).run_only(fixed_nodes(recorded, carried))
    return Replacements(found)


def _keras_tables(trace: Trace, promoted: PromotedGraph, arrays: Sequence[Any]) -> list[tuple[Place, Table]]:
    """The float tables that the Keras graph computes, each once, with the first place that makes it."""
    operations = promoted.graph.get_operations()
    made_by = fixed_tensors(promoted.graph)
    wanted = [tensor.name for index in made_by.values() for tensor in operations[index].outputs if _is_small(tensor)]
    found: dict[tuple[tuple[int, ...], bytes], tuple[int, Table]] = {}
    for name, computed in promoted.run(arrays, list(dict.fromkeys(wanted))):
        table = _table(torch.from_numpy(np.array(computed.tensor)))
        if table is not None:
            key, made = (table.core.shape, table.core.tobytes()), (made_by[name], table)
            found[key] = min(found.get(key, made), made, key=itemgetter(0))
    first = sorted(found.values(), key=itemgetter(0))
    return [(_keras_place(trace, index), table) for index, table in first]


def _keras_place(trace: Trace, index: int) -> Place:
    kind = trace.graph.get_operations()[index].type
    return Place(trace.path_of(index), MADE_OUTSIDE.get(kind, kind))


def _is_small(tensor: Any) -> bool:
    known = [size for size in tensor.shape if size is not None] if tensor.shape.rank is not None else []
    return bool(tensor.dtype.is_floating) and math.prod(known) <= MOST_ELEMENTS


def _table(result: Any) -> Table | None:
    """The numbers of a tensor of floats that is neither empty nor large."""
    if not isinstance(result, torch.Tensor) or not result.is_floating_point():
        return None
    return Table(result.double().numpy().copy()) if 0 < result.numel() <= MOST_ELEMENTS else None


def _closest(own: Table, tables: Sequence[Table]) -> tuple[int, Array] | None:
    """The table whose rounding may have made another one, with its numbers in the same layout; None if it is equal."""
    near = [
        (-fit.share, apart, number, fit.core)
        for number, table in enumerate(tables)
        for fit in table.fits(own)
        if (apart := excess(fit.core, own.core, FLOAT32)) <= 1
    ]
    if not near:
        return None
    _, _, number, core = min(near, key=itemgetter(0, 1, 2))
    return None if excess(core, own.core, FLOAT64) <= 1 else (number, core)


def _describe(place: Place, table: Table, node: fx.Node, own: Table, core: Array) -> RoundedConstant:
    exact = [side for side, each in ((Framework.TF, table), (Framework.TORCH, own)) if each.in_float32]
    with np.errstate(invalid="ignore"):
        apart = np.where(core == own.core, 0.0, np.abs(core - own.core))
    largest = float(np.abs(core[np.isfinite(core)]).max())
    return RoundedConstant(
        tf=place,
        torch=_torch_place(node),
        rounded=exact[0] if len(exact) == 1 else None,
        shape=own.array.shape,
        difference=float(apart.max()) / largest,
    )


def _torch_place(node: fx.Node) -> Place:
    """The path of a stored tensor, or the module that computes with a table."""
    path = node.meta.get("path")
    if path is not None:
        return Place(path)
    computing = [each for each in (node, *node.users) if each.meta.get("nn_module_stack")]
    module = computing[0].meta["nn_module_stack"][-1][0] if computing else ""
    kind = "constant" if node.op == "get_attr" else bare_name(node.target)
    return Place(module, kind) if module else Place(kind)
