"""Builds the rows of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from autoport.comparison.differences import Difference
from autoport.comparison.outputs import more_outputs
from autoport.facts.framework import Both, Framework
from autoport.facts.places import Place
from autoport.facts.reasons import Code, Reason
from autoport.report.rows.blocks import group_nodes
from autoport.report.rows.drawing import Drawing, DrawnModel, Node, edges_of, nodes_of, pairs_of
from autoport.report.rows.order import Key, RowOrder
from autoport.report.rows.rows import Count, Report, Row, label, split, worst
from autoport.report.rows.tensors import Status, TensorRow, Tensors, tensor_rows
from autoport.report.rows.unmatched import SidedPath, lost_rows, lost_tensors, unmatched_rows
from autoport.verify.verification import Divergence, NodeError, Verification

if TYPE_CHECKING:
    from autoport.analysis import Analysis
    from autoport.graph import Graph, Op
    from autoport.plan.draft import Transfer

PlacePair = tuple[Place, Place]
BETWEEN = Reason(Code.ON_THE_WAY)
# Statuses, the worst first.
SEVERITY = (
    Status.AMBIGUOUS,
    Status.TF_ONLY,
    Status.TORCH_ONLY,
    Status.DIFFERENT,
    Status.TRANSFORMED,
    Status.SAME,
)


def build_report(analysis: Analysis, verification: Verification | None = None) -> Report:
    """Turns an analysis into a report.

    Args:
        analysis: of two models; `match.analysis`.
        verification: what `match.verify` returned, so that rows have errors and causes.

    Returns:
        The rows with their totals.

    Example:
        >>> [str(row.status) for row in build_report(analysis).listed]  # doctest: +SKIP
        ['=', '=', '!']
    """
    transfer = analysis.transfer(Framework.TORCH)
    lost = lost_tensors(transfer)
    partner = pairs_of(analysis)
    order = RowOrder(analysis)
    tensors = _tensors(analysis, transfer, set(lost))
    placed = [*_pair_rows(analysis, partner, tensors, order), *unmatched_rows(analysis, order)]
    placed += lost_rows(analysis, lost, order)
    placed += _difference_rows(analysis, {row.at for _, row in placed}, order)
    placed.sort(key=lambda entry: entry[0])
    rows = _add_errors([_with_proof(row, verification, transfer.complete) for _, row in placed], verification)
    differences, spellings = split(analysis.differences, verification)
    unsettled = Counter(side for side, _ in lost)
    totals = analysis.graphs.map(lambda graph: len(graph.read_tensors()))
    counts = Both.of(lambda side: Count(totals[side] - unsettled[side], totals[side]))
    return Report(
        tuple(rows),
        differences,
        transfer.complete,
        counts.tf,
        counts.torch,
        analysis.names.tf,
        analysis.names.torch,
        _draw(analysis, partner, rows),
        verification,
        spellings,
        more_outputs(analysis.matching),
    )


def _with_proof(row: Row, verification: Verification | None, complete: bool) -> Row:
    """A row with the differences that verification proved to be of spelling apart."""
    differences, spellings = split(row.differences, verification)
    proved = verification is not None and verification.ok
    if row.one_sided:
        return replace(row, spelled=proved and (complete or not row.tensors))
    status = _pair_status(row.tensors, differences) if spellings else row.status
    return replace(row, differences=differences, spellings=spellings, status=status)


def _pair_rows(
    analysis: Analysis, partner: Mapping[str, str], tensors: Tensors, order: RowOrder
) -> Iterator[tuple[Key, Row]]:
    """One row for each pair of layers; a layer may be several operations: query, key, value, out."""
    weighted = {pair.tf.name: pair for pair in analysis.pairs}
    reasons = {pair.left: pair.reason for pair in analysis.matching.pairs}
    differences_at = _by_consumers(analysis.differences)
    groups: dict[PlacePair, list[tuple[Op, Op]]] = {}
    for left, right in partner.items():
        if left in analysis.graphs.tf and right in analysis.graphs.torch:
            a, b = analysis.graphs.tf.op(left), analysis.graphs.torch.op(right)
            groups.setdefault((a.place, b.place), []).append((a, b))
    for pair in analysis.in_training.pairs:
        groups.setdefault((pair.tf.place, pair.torch.place), []).append((pair.tf, pair.torch))
        reasons[pair.tf.name] = pair.reason
    for places, ops in groups.items():
        pairs = [weighted[a.name] for a, _ in ops if a.name in weighted]
        rows = tensor_rows([weight for pair in pairs for weight in pair.weights], tensors)
        differences = tuple(differences_at.get(places, ()))
        why = dict.fromkeys(reasons[a.name] for a, _ in ops if a.name in reasons)
        yield (
            (order.key(Framework.TF, ops[0][0])[0], 0),
            Row(
                _pair_status(rows, differences),
                *label(places[0]),
                *label(places[1]),
                tensors=rows,
                reasons=tuple(why) or (BETWEEN,),
                differences=differences,
                at=places,
                tf_nodes=tuple(a.name for a, _ in ops if a.name in analysis.graphs.tf),
                torch_nodes=tuple(b.name for _, b in ops if b.name in analysis.graphs.torch),
            ),
        )


def _tensors(analysis: Analysis, transfer: Transfer, lost: set[SidedPath]) -> Tensors:
    absorbed: dict[str, list[str]] = {}
    absorbing: dict[str, list[str]] = {}
    for path, entry in transfer.entries.items():
        for term in (term for part in entry.parts for term in part.terms if term.factor != 1):
            absorbed.setdefault(term.source.tensor, []).append(path)
            absorbing.setdefault(path, []).append(term.source.tensor)
    return Tensors(analysis.graphs.tf.tensors, analysis.graphs.torch.tensors, lost, absorbed, absorbing)


def _pair_status(tensors: Iterable[TensorRow], differences: Iterable[Difference]) -> Status:
    if any(not difference.training_only for difference in differences):
        return Status.DIFFERENT
    transformed = any(row.status is Status.TRANSFORMED for row in tensors)
    return Status.TRANSFORMED if transformed else Status.SAME


def _by_consumers(differences: Iterable[Difference]) -> dict[PlacePair, list[Difference]]:
    """Groups differences by the two operations that differ, or that the differing edges lead to."""
    groups: dict[PlacePair, list[Difference]] = {}
    for difference in differences:
        groups.setdefault((difference.tf.consumer, difference.torch.consumer), []).append(difference)
    return groups


def _difference_rows(
    analysis: Analysis, existing: Container[PlacePair | None], order: RowOrder
) -> Iterator[tuple[Key, Row]]:
    """Rows for differences at places that have no row: the number of outputs, preprocessing."""
    for places, differences in _by_consumers(analysis.differences).items():
        if places not in existing:
            a, b = _op_at(analysis.graphs.tf, places[0]), _op_at(analysis.graphs.torch, places[1])
            row = Row(
                _pair_status((), differences),
                *label(places[0]),
                *label(places[1]),
                differences=tuple(differences),
                at=places,
                tf_nodes=(a.name,) if a else (),
                torch_nodes=(b.name,) if b else (),
            )
            yield order.key(Framework.TF, a), row


def _op_at(graph: Graph, place: Place) -> Op | None:
    """The operation at a place; None if the graph, which records evaluation mode, has none there."""
    op = graph.op(place.name) if place.name in graph else None
    return op if op is not None and op.place == place else None


def _add_errors(rows: list[Row], verification: Verification | None) -> list[Row]:
    """Adds the errors that verification measured to the rows, and rows for places without one."""
    if verification is None:
        return rows
    errors: dict[PlacePair, list[NodeError]] = {}
    divergences: dict[PlacePair, list[Divergence]] = {}
    for error in verification.nodes:
        errors.setdefault((error.tf, error.torch), []).append(error)
    for divergence in verification.divergences:
        divergences.setdefault((divergence.tf, divergence.torch), []).append(divergence)
    existing = {row.at for row in rows}
    elsewhere = [
        Row(
            Status.DIFFERENT,
            *label(places[0]),
            *label(places[1]),
            error=worst([*at_places]),
            divergences=tuple(at_places),
            at=places,
        )
        for places, at_places in divergences.items()
        if places not in existing
    ]
    proved = [
        row if row.at is None else _with_errors(row, errors.get(row.at, []), divergences.get(row.at, []))
        for row in rows
    ]
    return proved + elsewhere


def _with_errors(row: Row, errors: list[NodeError], divergences: list[Divergence]) -> Row:
    status = Status.DIFFERENT if divergences and not row.one_sided else row.status
    return replace(row, status=status, error=worst([*errors, *divergences]), divergences=tuple(divergences))


def _draw(analysis: Analysis, partner: Mapping[str, str], rows: list[Row]) -> Drawing:
    models = Both(analysis.matching.left, analysis.matching.right).map(DrawnModel)
    nodes, groups = group_nodes(nodes_of(models, partner))
    rows_of: dict[tuple[Framework, str], list[int]] = {}
    for number, row in enumerate(rows):
        for side, names in ((Framework.TF, row.tf_nodes), (Framework.TORCH, row.torch_nodes)):
            for name in names:
                rows_of.setdefault((side, name), []).append(number)
    drawn = []
    for node in nodes:
        places = ((side, node[side]) for side in Framework)
        numbers = {n for side, place in places if place is not None for n in rows_of.get((side, place.name), ())}
        status = _node_status(node, [rows[n].status for n in sorted(numbers) if not rows[n].unread])
        drawn.append(replace(node, rows=tuple(sorted(numbers)), status=status))
    return Drawing(tuple(drawn), edges_of(nodes, models), groups)


def _node_status(node: Node, statuses: list[Status]) -> Status | None:
    """The worst status of its rows; a matched node that loses a tensor counts as different."""
    paired = node.tf is not None and node.torch is not None
    capped = [Status.DIFFERENT if paired and SEVERITY.index(s) < 3 else s for s in statuses]
    return min(capped, key=SEVERITY.index, default=Status.SAME if paired else None)
